package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// substitution replaces $(…) in values.
type substitution struct {
	values map[string]Setting
	raw    func(key string) (string, bool) // the default of a key
	path   []string                        // keys being replaced, to find circles
	done   map[string]string               // keys that are replaced
	// environment are the keys whose values have part of the environment.
	environment map[string]bool
}

// replace gives a value with every $(name) replaced by the value of that key
// or, when there is no such key, of that environment variable. A value that is
// $(<path) as a whole becomes the content of the file.
func (s *substitution) replace(set Setting) (string, error) {
	if v, ok := s.done[set.Key]; ok {
		return v, nil
	}
	v, err := s.expand(set)
	if err == nil {
		s.done[set.Key] = v
	}
	return v, err
}

func (s *substitution) expand(set Setting) (string, error) {
	if slices.Contains(s.path, set.Key) {
		return "", fmt.Errorf("%s: '%s' substitution goes in a circle: %s", set.where(), set.Key, strings.Join(append(s.path, set.Key), " → "))
	}
	s.path = append(s.path, set.Key)
	defer func() { s.path = s.path[:len(s.path)-1] }()
	if path, ok := strings.CutPrefix(set.Value, "$(<"); ok && strings.HasSuffix(path, ")") {
		return fromFile(set, strings.TrimSuffix(path, ")"))
	}
	var b strings.Builder
	rest := set.Value
	for {
		before, after, ok := strings.Cut(rest, "$(")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, tail, ok := strings.Cut(after, ")")
		if !ok {
			b.WriteString("$(" + after)
			return b.String(), nil
		}
		value, err := s.lookUp(set, strings.TrimSpace(name))
		if err != nil {
			return "", err
		}
		if b.WriteString(value); b.Len() > maxFile {
			return "", fmt.Errorf("%s: value of %s becomes larger than %d bytes", set.where(), set.Key, maxFile)
		}
		rest = tail
	}
}

func (s *substitution) lookUp(set Setting, name string) (string, error) {
	if to, ok := aliases[name]; ok {
		name = to
	}
	if other, ok := s.values[name]; ok {
		v, err := s.replace(other)
		s.environment[set.Key] = s.environment[set.Key] || s.environment[name]
		return v, err
	}
	if v, ok := s.raw(name); ok {
		return s.replace(Setting{Key: name, Value: v, File: set.File, Line: set.Line})
	}
	if v, ok := os.LookupEnv(name); ok {
		s.environment[set.Key] = true
		return v, nil
	}
	return "", fmt.Errorf("%s: '%s' substitution requires a config variable '%s' to be set", set.where(), set.Key, name)
}

func fromFile(set Setting, path string) (string, error) {
	path = strings.TrimSpace(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(set.File), path)
	}
	text, err := readFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: cannot set %s: %w", set.where(), set.Key, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), nil
}
