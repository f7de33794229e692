package reload

import (
	"bytes"
	"fmt"
	"iter"
	"unicode/utf8"
)

// bom is what some editors put before the first line.
var bom = []byte("\ufeff")

// Line is a line of a text: its number from 1 on, and its text without the
// end of the line.
type Line struct {
	Number int
	Text   []byte
}

// Lines gives the lines of a text, whether they end in LF, CR LF or, the last
// one, in nothing. A byte order mark before the first one is left out.
func Lines(text []byte) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		text = bytes.TrimPrefix(text, bom)
		for n := 1; len(text) > 0; n++ {
			line, rest, _ := bytes.Cut(text, []byte{'\n'})
			if !yield(Line{n, bytes.TrimSuffix(line, []byte{'\r'})}) {
				return
			}
			text = rest
		}
	}
}

// Check tells what is wrong with a line as such: its length, or bytes that no
// name in MQTT can have.
func (l Line) Check(longest int) error {
	switch {
	case len(l.Text) > longest:
		return fmt.Errorf("line is longer than %d bytes", longest)
	case !utf8.Valid(l.Text):
		return fmt.Errorf("line is not UTF-8")
	case bytes.IndexByte(l.Text, 0) >= 0:
		return fmt.Errorf("line holds U+0000")
	}
	return nil
}
