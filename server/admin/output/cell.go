package output

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cellText is what a cell looks like in a table.
func cellText(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case undefined:
		return "undefined"
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int64:
		return strconv.FormatInt(x, 10)
	}
	return fmt.Sprint(v)
}

// printable replaces what would change a terminal's state. Line ends stay.
func printable(s string) string {
	clean := func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}
	for _, r := range s {
		if r == utf8.RuneError || clean(r) != r {
			return strings.Map(clean, s)
		}
	}
	return s
}
