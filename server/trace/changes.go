package trace

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"vernemq/codec"
)

// Changes shows what a plugin wants to be changed, a term for each: the fields
// of a struct, or of a pointer to one, that are not zero.
func Changes(modifiers any) (terms []string) {
	v := reflect.Indirect(reflect.ValueOf(modifiers))
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			terms = append(terms, "{"+atom(v.Type().Field(i).Name)+","+term(reflect.Indirect(f))+"}")
		}
	}
	return terms
}

// atom is VerneMQ's spelling of a field's name.
func atom(name string) string {
	name = strings.Replace(name, "QoS", "Qos", 1)
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) && !unicode.IsUpper(rune(name[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// term is a value as Erlang has it; durations are milliseconds.
func term(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case codec.Properties:
		var b strings.Builder
		(&writer{Builder: &b}).properties(x)
		return strings.TrimSpace(strings.TrimPrefix(b.String(), "    with properties: "))
	case []byte:
		return binaryTerm(x)
	case string:
		return binaryTerm([]byte(x))
	case time.Duration:
		return fmt.Sprint(x.Milliseconds())
	}
	var parts []string
	switch v.Kind() {
	case reflect.Struct:
		return "[" + strings.Join(Changes(v.Interface()), ",") + "]"
	case reflect.Slice:
	default:
		return fmt.Sprint(v.Interface())
	}
	for i := range v.Len() {
		parts = append(parts, term(v.Index(i)))
	}
	return "[" + strings.Join(parts, ",") + "]"
}
