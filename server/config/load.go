// Package config reads vernemq.conf: the file and its includes, overrides,
// substitutions, and one schema table from which validation, defaults and
// documentation come (reference: the format and keys of VerneMQ 2.x, with the
// defaults of its documentation).
package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Dirs is the layout on disk. Relative paths in values start from Base.
type Dirs struct{ Base, Etc, Data, Log, Share string }

// DirsOf is the layout below a base directory. That of / is that of an installed
// package.
func DirsOf(base string) Dirs {
	if base == "/" {
		return Dirs{Base: "/", Etc: "/etc/vernemq", Data: "/var/lib/vernemq", Log: "/var/log/vernemq", Share: "/usr/share/vernemq"}
	}
	return Dirs{Base: base, Etc: base + "/etc", Data: base + "/data", Log: base + "/log", Share: base + "/share"}
}

// Loaded is a configuration with where its values come from.
type Loaded struct {
	Config   *Config
	Warnings []string // one line each
	settings map[string]Setting
	dirs     Dirs

	file      string // what Load was called with
	overrides []string
}

// Load reads a configuration file. overrides are KEY=VALUE and win over the
// file. The error is Errors: all that is wrong, one line each.
func Load(path string, overrides []string, dirs Dirs) (*Loaded, error) {
	p := &parser{}
	p.file(path)
	settings, errs := overriding(overrides)
	p.settings, p.errs = append(p.settings, settings...), append(p.errs, errs...)
	l := &Loaded{settings: map[string]Setting{}, dirs: dirs, file: path, overrides: overrides}
	l.Warnings = repeated(p.settings)
	errs = slices.Concat(p.errs, l.take(p.settings))
	if len(errs) == 0 {
		errs = l.build()
	}
	if len(errs) > 0 {
		return nil, errs
	}
	l.warn()
	return l, nil
}

// overriding makes settings of KEY=VALUE.
func overriding(overrides []string) (settings []Setting, errs Errors) {
	for _, o := range overrides {
		k, v, ok := strings.Cut(o, "=")
		if k, v = strings.TrimSpace(k), strings.TrimSpace(v); !ok || k == "" {
			errs = append(errs, fmt.Errorf("--set %s: KEY=VALUE was expected", o))
			continue
		}
		settings = append(settings, Setting{Key: k, Value: v, File: "--set " + k})
	}
	return settings, errs
}

// repeated tells of keys that one file sets twice. Another file may well set a
// key again: that is what includes are for.
func repeated(settings []Setting) (warnings []string) {
	type place struct{ key, file string }
	first := map[place]int{}
	for _, s := range settings {
		p := place{s.Key, s.File}
		if line, twice := first[p]; twice && s.Line > 0 {
			warnings = append(warnings, fmt.Sprintf("%s: %s is set on line %d already: the last one counts", s.where(), s.Key, line))
		}
		first[p] = s.Line
	}
	return warnings
}

// take checks the settings against the schema; the last one of a key counts.
func (l *Loaded) take(settings []Setting) (errs Errors) {
	raw := map[string]Setting{}
	for _, s := range settings {
		if to, ok := aliases[s.Key]; ok {
			l.Warnings = append(l.Warnings, fmt.Sprintf("%s: %s is an old name of %s", s.where(), s.Key, to))
			s.Key = to
		}
		raw[s.Key] = s
	}
	sub := substitution{values: raw, raw: l.defaultOf, done: map[string]string{}, environment: map[string]bool{}}
	for _, name := range sortedSettings(raw) {
		s := raw[name]
		k := find(name)
		if k == nil {
			errs = append(errs, unknown(s))
			continue
		}
		value, err := sub.replace(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.Value, s.Environment = value, sub.environment[name]
		if why := k.typ.check(value); why != "" {
			errs = append(errs, fmt.Errorf("%s: Error transforming datatype for: %s: %s", s.where(), name, why))
			continue
		}
		l.settings[name] = s
	}
	return errs
}

func unknown(s Setting) error {
	if w := strings.Split(s.Key, "."); len(w) > 3 && w[0] == "listener" && optional[w[2]] {
		return fmt.Errorf("%s: You've tried to set %s, but no listener may be called %s, which is an option", s.where(), s.Key, w[2])
	}
	return fmt.Errorf("%s: You've tried to set %s, but there is no setting with that name.\n  Did you mean one of these?\n    %s",
		s.where(), s.Key, strings.Join(nearest(s.Key, 3), "\n    "))
}

func sortedSettings(m map[string]Setting) (names []string) {
	for k := range m {
		names = append(names, k)
	}
	slices.SortFunc(names, func(a, b string) int {
		if c := strings.Compare(m[a].File, m[b].File); c != 0 {
			return c
		}
		if c := m[a].Line - m[b].Line; c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return names
}

// defaultOf is the default of a key, with the directories put in.
func (l *Loaded) defaultOf(name string) (string, bool) {
	k := find(name)
	if k == nil || k.def == none {
		return "", false
	}
	v := k.def
	for word, dir := range map[string]string{"DATA": l.dirs.Data, "LOG": l.dirs.Log, "ETC": l.dirs.Etc, "SHARE": l.dirs.Share} {
		if v == word || strings.HasPrefix(v, word+"/") {
			return dir + strings.TrimPrefix(v, word), true
		}
	}
	return v, true
}

// value is what a key comes to: what is set, or its default.
func (l *Loaded) value(name string) string {
	if s, ok := l.settings[name]; ok {
		return s.Value
	}
	v, _ := l.defaultOf(name)
	return v
}

func (l *Loaded) isSet(name string) bool { _, ok := l.settings[name]; return ok }

// path makes a path of a value.
func (l *Loaded) path(v string) string {
	if v == "" || filepath.IsAbs(v) {
		return v
	}
	if s := filepath.Clean(v); s == filepath.Clean(l.dirs.Base) || strings.HasPrefix(s, filepath.Clean(l.dirs.Base)+"/") {
		return s // a default already starts there
	}
	return filepath.Join(l.dirs.Base, v)
}

// warn says in one line which of the set keys do nothing yet, and what keeps
// clients from what they want.
func (l *Loaded) warn() {
	if len(l.Config.Listeners) == 0 {
		l.Warnings = append(l.Warnings, "no MQTT listener is configured: clients cannot connect before vmq-admin listener start")
	}
	if s := l.settings["max_online_messages"]; s.Value == "0" {
		l.Warnings = append(l.Warnings, s.where()+": max_online_messages = 0: connected clients get no messages at all")
	}
	var names []string
	for _, name := range sortedSettings(l.settings) {
		s := l.settings[name]
		if k := find(name); k.has(later) && !l.harmless(k, s) {
			names = append(names, fmt.Sprintf("%s (%s)", name, s.where()))
		}
	}
	if len(names) > 0 {
		l.Warnings = append(l.Warnings, "not available yet: "+strings.Join(names, ", "))
	}
}

// harmless tells that a key is set to what holds anyway, or switches off what
// is not there.
func (l *Loaded) harmless(k *key, s Setting) bool {
	if k.typ.name == flagType.name && s.Value == "off" {
		return true
	}
	def, ok := l.defaultOf(k.name)
	return ok && def == s.Value && k.typ.name != flagType.name && !strings.HasPrefix(k.name, "listener.")
}

// check gives the error of a value that is wrong for a reason of its own.
func (l *Loaded) check(name, why string) error {
	if why == "" {
		return nil
	}
	s, ok := l.settings[name]
	switch {
	case !ok:
		return fmt.Errorf("%s invalid, %s", name, why)
	case s.File == "": // a listener started at run time, whose name nobody knows
		return errors.New(why)
	}
	return fmt.Errorf("%s: %s invalid, %s", s.where(), name, why)
}

var errNoListener = errors.New("no listener is configured: set listener.tcp.NAME = ADDRESS:PORT")
