package ql

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type row struct {
	name string
	size int64
	on   bool
	user Value
}

var columns = Columns[*row]{
	"name": {String, func(r *row) Value { return Text(r.name) }},
	"size": {Int, func(r *row) Value { return Number(r.size) }},
	"on":   {Bool, func(r *row) Value { return Flag(r.on) }},
	"user": {String, func(r *row) Value { return r.user }},
}

var rows = []*row{
	{"a1", 1, true, Text("ann")},
	{"a2", 20, false, Value{Kind: Undefined}},
	{"b3", 3, true, Value{}},
	{"7", 7, false, Text("undefined")},
}

func TestWhere(t *testing.T) {
	for _, c := range []struct{ where, want string }{
		{"", "a1 a2 b3 7"},
		{`name = "a1"`, "a1"},
		{`name = 7`, "7"}, // by the type of the field
		{`size = "20"`, "a2"},
		{`size > 2 AND size =< 7`, "b3 7"},
		{`size >= 3 AND size < 20`, "b3 7"},
		{`on = true`, "a1 b3"},
		{`on = foo`, "cannot"},
		{`on = "foo"`, ""},
		{`on != "foo"`, "a1 a2 b3 7"},
		{`user = "undefined"`, "a2 b3 7"},
		{`user != "undefined"`, "a1"},
		{`user < "zzz"`, "a1 7"},
		{`name MATCH "^a"`, "a1 a2"},
		{`size MATCH "1"`, ""},
		{`name MATCH "["`, "cannot"},
		{`name = "b3" OR name = "a1" AND size = 20`, "b3"},
		{`(name = "b3" OR name = "a1") AND size = 1`, "a1"},
		{`size = size`, "a1 a2 b3 7"},
		{`size = name`, ""},
		{`nope = 1`, "cannot"},
	} {
		if got := selected(c.where); got != c.want {
			t.Errorf("%s: %q, want %q", c.where, got, c.want)
		}
	}
}

func selected(where string) string {
	text := "SELECT * FROM t"
	if where != "" {
		text += " WHERE " + where
	}
	q, err := Parse(text)
	if err != nil {
		return err.Error()
	}
	p, err := columns.Compile(q.Where)
	if err != nil {
		return "cannot"
	}
	var out []string
	for _, r := range rows {
		if p(r) {
			out = append(out, r.name)
		}
	}
	return strings.Join(out, " ")
}

func TestParse(t *testing.T) {
	q, err := Parse(` SELECT a,b_2 , c FROM sessions WHERE a="x\"y\\" AND (b != -1.5 OR c=true) ORDER BY b LIMIT 10 ROWTIMEOUT 0 `)
	if err != nil {
		t.Fatal(err)
	}
	want := &Query{Fields: []string{"a", "b_2", "c"}, From: "sessions", OrderBy: "b", Limit: 10, RowTimeout: 0, Where: And(
		&Expr{Field: "a", Op: Equal, Value: `x"y\`},
		&Expr{Join: "OR", Parts: []*Expr{{Field: "b_2", Op: NotEqual, Value: "-1.5"}, {Field: "c", Op: Equal, Value: "true"}}})}
	want.Where.Parts[1].Parts[0].Field = "b"
	if !reflect.DeepEqual(q, want) {
		t.Errorf("%+v\n%s", q, q.Where)
	}
	for _, bad := range []string{
		"", "SELECT", "select * FROM t", "SELECT * FROM", "SELECT FROM t", "SELECT a, FROM t", "SELECT a FROM t WHERE", "SELECT a FROM t WHERE a",
		"SELECT a FROM t WHERE a =", "SELECT a FROM t WHERE a ~ 1", `SELECT a FROM t WHERE a = "x`, "SELECT a FROM t LIMIT x", "SELECT a FROM t LIMIT -1",
		"SELECT a FROM t ROWTIMEOUT 1 LIMIT 1", "SELECT a FROM t ORDER a", "SELECT a FROM t x", "SELECT a FROM t WHERE (a = 1", "SELECT a FROM t WHERE a = 1)",
		"SELECT a FROM t WHERE A = 1", "SELECT a FROM t WHERE a MATCH b", "SELECT a FROM t WHERE " + strings.Repeat("(", 1000),
	} {
		if q, err := Parse(bad); err == nil {
			t.Errorf("%q is accepted: %+v", bad, q)
		} else if !strings.HasPrefix(err.Error(), "cannot read the query: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestExact(t *testing.T) {
	for where, want := range map[string]string{
		`a = "x"`: "x true", `a = "x" AND b = 1`: "x true", `b = 1 AND (c = 2 AND a = 7)`: "7 true",
		`a = "x" OR b = 1`: " false", `a != "x"`: " false", `b = "x"`: " false", `a = b`: " false", `(a = "x" OR b = 1) AND c = 1`: " false",
	} {
		q, err := Parse("SELECT a FROM t WHERE " + where)
		if err != nil {
			t.Fatal(err)
		}
		text, ok := q.Where.Exact("a")
		if got := fmt.Sprint(text, " ", ok); got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
}

func expressions(depth int) *rapid.Generator[*Expr] {
	return rapid.Custom(func(t *rapid.T) *Expr {
		if depth > 0 && rapid.Bool().Draw(t, "join") {
			return &Expr{Join: rapid.SampledFrom([]string{"AND", "OR"}).Draw(t, "word"),
				Parts: rapid.SliceOfN(expressions(depth-1), 2, 4).Draw(t, "parts")}
		}
		return &Expr{Field: rapid.SampledFrom([]string{"name", "user"}).Draw(t, "field"),
			Op:    rapid.SampledFrom([]Op{Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual}).Draw(t, "op"),
			Value: rapid.StringOf(rapid.SampledFrom([]rune(`ab1"\ ()=`))).Draw(t, "value")}
	})
}

// TestWritten writes conditions and reads them again: they select the same rows
// as a plain walk through the condition does.
func TestWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := expressions(3).Draw(t, "expr")
		q, err := Parse("SELECT * FROM t WHERE " + e.String())
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		p, err := columns.Compile(q.Where)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if got, want := p(r), naive(e, r); got != want {
				t.Errorf("%s on %v: %v, want %v", e, r, got, want)
			}
		}
	})
}

func naive(e *Expr, r *row) bool {
	switch e.Join {
	case "AND":
		for _, p := range e.Parts {
			if !naive(p, r) {
				return false
			}
		}
		return true
	case "OR":
		for _, p := range e.Parts {
			if naive(p, r) {
				return true
			}
		}
		return false
	}
	v := columns[e.Field].Get(r)
	if v.Kind != String {
		return e.Op == NotEqual
	}
	return map[Op]bool{Equal: v.S == e.Value, NotEqual: v.S != e.Value, Less: v.S < e.Value, LessEqual: v.S <= e.Value,
		Greater: v.S > e.Value, GreaterEqual: v.S >= e.Value}[e.Op]
}

func FuzzParse(f *testing.F) {
	f.Add(`SELECT a,b FROM sessions WHERE a = "x" AND (b != 1 OR c MATCH "^y") ORDER BY a LIMIT 3 ROWTIMEOUT 5`)
	f.Add("SELECT * FROM retain_srv")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err != nil {
			return
		}
		if q.Where == nil {
			return
		}
		again, err := Parse("SELECT * FROM t WHERE " + q.Where.String())
		if err != nil || again.Where.String() != q.Where.String() {
			t.Errorf("%q becomes %q: %v", text, q.Where, err)
		}
	})
}
