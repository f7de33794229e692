package passwd

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	carol := strings.Replace(captured, "alice", "carol", 1)
	long := strings.Replace(captured, "alice", strings.Repeat("x", MaxLine-len(captured)+len("alice")), 1)
	for name, tt := range map[string]struct {
		text, wrong string
		users       int
	}{
		"empty":             {"", "", 0},
		"lines":             {captured + "\n" + carol + "\n", "", 2},
		"no final newline":  {captured + "\n" + carol, "", 2},
		"CRLF":              {captured + "\r\n" + carol + "\r\n", "", 2},
		"CR at the end":     {captured + "\n" + carol + "\r", "", 2},
		"BOM":               {"\ufeff" + captured + "\n" + carol, "", 2},
		"BOM alone":         {"\ufeff", "", 0},
		"BOM and comment":   {"\ufeff# users\n" + captured, "", 1},
		"comments, blanks":  {"# a: b\n\n" + captured + "\n\n#\n\r\n", "", 1},
		"longest":           {captured + "\n" + long, "", 2},
		"longest CRLF":      {long + "\r\n", "", 1},
		"too long":          {captured + "\nx" + long, "f:2: line is longer than 1024 bytes", 0},
		"no colon":          {captured + "\nbob\n" + carol, "f:2: USER:HASH was expected", 0},
		"blanks only":       {captured + "\n  \n", "f:2: USER:HASH was expected", 0},
		"no user":           {":" + captured, "f:1: USER:HASH was expected", 0},
		"colon in the user": {"a:" + captured, "f:1: a hash was expected", 0},
		"clear text":        {"#\nbob:secret", "f:2: a hash was expected", 0},
		"unknown hash":      {"bob:$1$abc$def", "f:1: unknown kind of hash", 0},
		"twice":             {"# x\n" + captured + "\n\n" + carol + "\n" + captured, `f:5: user "alice" is in line 2, too`, 0},
		"CR only":           {captured + "\r" + carol, "f:1: ", 0},
		"not UTF-8":         {"\xff" + captured, "f:1: line is not UTF-8", 0},
		"U+0000":            {"\x00" + captured, "f:1: line holds U+0000", 0},
		"UTF-16":            {"\xff\xfea\x00:\x00", "f:1: line is not UTF-8", 0},
		"BOM twice":         {captured + "\n\ufeff" + carol, "", 2}, // part of the name, as any other character
	} {
		table, err := Parse("f", []byte(tt.text))
		switch {
		case tt.wrong != "":
			if err == nil || !strings.HasPrefix(err.Error(), tt.wrong) || table != nil {
				t.Errorf("%s: %v, want %s", name, err, tt.wrong)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case table.Len() != tt.users:
			t.Errorf("%s: %d users, want %d", name, table.Len(), tt.users)
		case tt.users > 0 && strings.Contains(tt.text, "alice") && table.Check("alice", []byte("a")) != Right:
			t.Errorf("%s: alice is not let in", name)
		}
	}
}

// cheap is a hash that is made fast, for many users.
func cheap(i int) string {
	var b [64]byte
	copy(b[:], fmt.Sprint(i))
	return "$6$" + base64.StdEncoding.EncodeToString(b[:12]) + "$" + base64.StdEncoding.EncodeToString(vmqDigest(fmt.Append(nil, "pw", i), b[:12]))
}

// manyUsers is the text of a file with n of them.
func manyUsers(n int) []byte {
	text := make([]byte, 0, 128*n)
	for i := range n {
		text = fmt.Appendf(text, "device-%07d:%s\n", i, cheap(i))
	}
	return text
}

func TestManyUsers(t *testing.T) {
	const n = 20_000
	table, err := Parse("f", manyUsers(n))
	if err != nil || table.Len() != n {
		t.Fatal(table.Len(), err)
	}
	for i := 0; i < n; i += 7 {
		user := fmt.Sprintf("device-%07d", i)
		if table.Check(user, fmt.Append(nil, "pw", i)) != Right || table.Check(user, fmt.Append(nil, "pw", i+1)) != Wrong {
			t.Fatalf("%s is checked wrongly", user)
		}
		if table.Check(user+"x", fmt.Append(nil, "pw", i)) != Unknown {
			t.Fatalf("%sx is known", user)
		}
	}
}

// TestDecoy makes sure that an unknown user meets a hash of the file, the same
// each time, and that the file's kinds are met in proportion.
func TestDecoy(t *testing.T) {
	lines := []string{bcryptLine}
	for i := range 99 {
		lines = append(lines, fmt.Sprintf("u%d:%s", i, cheap(i)))
	}
	table := mustParse(t, lines...)
	dear := 0
	for i := range 10_000 {
		user := fmt.Sprint("nobody", i)
		e, known := table.find(user)
		again, _ := table.find(user)
		if known || string(e.user) != string(again.user) {
			t.Fatalf("%s: known %v, %s and %s", user, known, e.user, again.user)
		}
		if e.kind == blowfish {
			dear++
		}
	}
	if dear > 1500 {
		t.Errorf("%d of 10000 meet the one bcrypt hash of 100", dear)
	}
	only := mustParse(t, bcryptLine)
	if e, known := only.find("nobody"); known || e.kind != blowfish {
		t.Error("an unknown user meets no hash")
	}
	// The password of the other one opens nothing.
	if r := only.Check("nobody", []byte("allmine")); r != Unknown {
		t.Errorf("nobody is let in: %v", r)
	}
}

func TestEmptyTable(t *testing.T) {
	if r := mustParse(t).Check("a", []byte("a")); r != Unknown {
		t.Error(r)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{captured, bcryptLine, argonLine, "\ufeff# x\r\n" + captured + "\r\n", "a:b", captured + "\n" + captured} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Parse("f", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse("f", append(text, '\n'))
		if err != nil || again.Len() != table.Len() {
			t.Fatalf("a newline at the end changes it: %v", err)
		}
		checkEdits(t, text, table)
	})
}

// checkEdits adds a user to a good file and takes it away again.
func checkEdits(t *testing.T, text []byte, table *Table) {
	more, err := Set(text, "new user", cheap(1))
	if err != nil {
		t.Fatal(err)
	}
	added, err := Parse("f", more)
	if err != nil || added.Check("new user", []byte("pw1")) != Right {
		t.Fatalf("the new user is not there: %v", err)
	}
	less, found := Delete(more, "new user")
	gone, err := Parse("f", less)
	_, was := Delete(text, "new user")
	if want := table.Len(); err != nil || !found || gone.Len() != want && !(was && gone.Len() == want-1) {
		t.Fatalf("the new user is still there: %v", err)
	}
	same, already, err := HashAll("f", text, func([]byte) (string, error) { panic("a hash is hashed again") })
	if err != nil || already != table.Len() || string(same) != string(text) {
		t.Fatalf("hashes did not stay: %d of %d, %v", already, table.Len(), err)
	}
}
