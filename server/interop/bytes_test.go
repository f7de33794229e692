package interop

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// notation writes packets as the package comment describes it.
type notation struct {
	level  byte
	lastID uint16 // for %
}

// render gives the bytes of a line.
func (n notation) render(line string) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%q: %v", line, r)
		}
	}()
	tokens := tokensOf(line)
	for len(tokens) > 0 {
		end := 0
		for end < len(tokens) && tokens[end] != ";" {
			end++
		}
		out = append(out, n.packet(tokens[:end])...)
		tokens = tokens[min(end+1, len(tokens)):]
	}
	return out, nil
}

func (n notation) packet(tokens []string) []byte {
	if len(tokens) > 0 && tokens[0] == "!" {
		body, _ := n.join(tokens[1:])
		return body
	}
	b, rest := n.join(tokens)
	if rest != 0 || len(b) == 0 {
		panic("not a packet")
	}
	return append(binary.AppendUvarint(b[:1:1], uint64(len(b)-1)), b[1:]...)
}

// join gives the bytes of tokens up to a closing bracket, and how many are
// left.
func (n notation) join(tokens []string) (b []byte, rest int) {
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t == ")":
			return b, len(tokens) - i
		case t == "(":
			in, left := n.join(tokens[i+1:])
			i = len(tokens) - left
			if n.level&0x7f == 5 {
				b = append(binary.AppendUvarint(b, uint64(len(in))), in...)
			}
		default:
			b = append(b, n.token(t)...)
		}
	}
	return b, 0
}

func (n notation) token(t string) []byte {
	prefixed := func(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }
	switch t[0] {
	case '@':
		if n.level&0x7f == 3 {
			return append(prefixed("MQIsdp"), n.level)
		}
		return append(prefixed("MQTT"), n.level)
	case '%':
		return binary.BigEndian.AppendUint16(nil, n.lastID)
	case '"':
		return prefixed(must(strconv.Unquote(t)))
	case '\'':
		return []byte(must(strconv.Unquote(`"` + t[1:len(t)-1] + `"`)))
	case '~', '^':
		count, what, _ := strings.Cut(t[1:], ":")
		s := strings.Repeat(what, must(strconv.Atoi(count)))
		if t[0] == '~' {
			return prefixed(s)
		}
		return []byte(s)
	}
	return must(hex.DecodeString(t))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// tokensOf takes a line apart: at spaces, around brackets, not within quotes.
func tokensOf(line string) (tokens []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		n := 1
		switch c := line[0]; {
		case c == '"' || c == '\'':
			for line[n] != c {
				if line[n] == '\\' {
					n++
				}
				n++
			}
			n++
		case !strings.ContainsRune("();!", rune(c)):
			for n < len(line) && !strings.ContainsRune(" ();!", rune(line[n])) {
				n++
			}
		}
		tokens, line = append(tokens, line[:n]), line[n:]
	}
	return tokens
}
