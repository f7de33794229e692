package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Live is the configuration of a running node: what was loaded, and what was
// set since. Any goroutine.
type Live struct {
	current atomic.Pointer[Loaded]
	mu      sync.Mutex // one change at a time; guards what follows
	loaded  *Loaded    // without what was set
	set     map[string]string
	asked   int // Config.FilesAsked
	vet     []func(*Loaded) error
	follow  []func(*Loaded)
}

// SetOrigin is the origin of a value that was set while the node runs.
const SetOrigin = "set"

// NewLive makes the configuration of a node that starts with l.
func NewLive(l *Loaded) *Live {
	v := &Live{loaded: l, set: map[string]string{}}
	v.current.Store(l)
	return v
}

// Current is what holds now.
func (v *Live) Current() *Loaded { return v.current.Load() }

// Follow has f called with each new configuration, one after the other. A
// change is in force when all that follow have returned.
func (v *Live) Follow(f func(*Loaded)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.follow = append(v.follow, f)
}

// Vet has f asked about each new configuration before it is in force. An error
// leaves everything as it was. f may not change anything.
func (v *Live) Vet(f func(*Loaded) error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.vet = append(v.vet, f)
}

// Set changes settings that may change, all of them or none.
func (v *Live) Set(values map[string]string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	set, asked := maps.Clone(v.set), v.asked
	for name, value := range values {
		if to, ok := aliases[name]; ok {
			name = to
		}
		if !MayChange(name) {
			return fmt.Errorf("cannot set %s: it is read at start", name)
		}
		set[name] = value
		if strings.HasPrefix(name, "vmq_passwd.") || strings.HasPrefix(name, "vmq_acl.") {
			asked++
		}
	}
	return v.replace(v.loaded, set, asked)
}

// Reset takes back what Set did to a setting, or to all with an empty name.
func (v *Live) Reset(name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if to, ok := aliases[name]; ok {
		name = to
	}
	set := maps.Clone(v.set)
	delete(set, name)
	if name == "" {
		clear(set)
	}
	return v.replace(v.loaded, set, v.asked)
}

// replace puts loaded with what is set in force.
func (v *Live) replace(loaded *Loaded, set map[string]string, asked int) error {
	next, err := loaded.with(set)
	if err != nil {
		return err
	}
	next.Config.FilesAsked = asked
	for _, f := range v.vet {
		if err := f(next); err != nil {
			return err
		}
	}
	v.loaded, v.set, v.asked = loaded, set, asked
	v.current.Store(next)
	for _, f := range v.follow {
		f(next)
	}
	return nil
}

// with is the configuration with other values.
func (l *Loaded) with(set map[string]string) (*Loaded, error) {
	next := *l
	next.settings, next.Warnings = maps.Clone(l.settings), nil
	var errs Errors
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if why := Check(name, set[name]); why != "" {
			errs = append(errs, fmt.Errorf("cannot set %s: %s", name, why))
			continue
		}
		next.settings[name] = Setting{Key: name, Value: set[name], File: SetOrigin}
	}
	if len(errs) == 0 {
		errs = next.build()
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return &next, nil
}

// Reload reads the files again. What may change takes effect, what was set
// stays; restart are the settings that differ now and are read at start only.
// After an error everything is as before.
func (v *Live) Reload() (changed, restart []string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fresh, err := Load(v.loaded.file, v.loaded.overrides, v.loaded.dirs)
	if err != nil {
		return nil, nil, err
	}
	next := *v.loaded
	next.settings = maps.Clone(v.loaded.settings)
	names := maps.Clone(v.loaded.settings)
	maps.Copy(names, fresh.settings)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		differs := v.loaded.value(name) != fresh.value(name)
		if !MayChange(name) {
			if differs {
				restart = append(restart, name)
			}
			continue
		}
		if s, ok := fresh.settings[name]; ok {
			next.settings[name] = s
		} else {
			delete(next.settings, name)
		}
		if differs {
			changed = append(changed, name)
		}
	}
	return changed, restart, v.replace(&next, v.set, v.asked)
}
