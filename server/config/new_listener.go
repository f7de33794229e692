package config

import (
	"fmt"
	"maps"
	"strings"
)

// NewListener makes a listener for MQTT that is not in the file, for one that
// is started at run time. options are those of the listener itself, by their
// names; those that its transport does not have are left out. What is not among
// them is inherited, as by a listener of the file.
func (c *Config) NewListener(transport, name, address string, options map[string]string) (li Listener, err error) {
	if !available(transport) {
		return li, fmt.Errorf("cannot make a listener: there is no transport %q", transport)
	}
	l, err := c.withListener(transport, name, address, options)
	if err == nil {
		li, err = l.listener(transport, name)
	}
	li.AllowAnonymous = c.AllowAnonymous || li.AnonymousOverride
	return li, err
}

// NewHTTPListener does the same for HTTP.
func (c *Config) NewHTTPListener(transport, name, address string, options map[string]string) (li HTTPListener, err error) {
	if !servesHTTP(transport) {
		return li, fmt.Errorf("cannot make a listener: there is no transport %q", transport)
	}
	l, err := c.withListener(transport, name, address, options)
	if err != nil {
		return li, err
	}
	return l.httpListener(transport, name)
}

// withListener gives the settings behind c with those of one more listener.
func (c *Config) withListener(transport, name, address string, options map[string]string) (*Loaded, error) {
	key := "listener." + transport + "." + name
	if name == "" || strings.Contains(name, ".") || optional[name] {
		return nil, fmt.Errorf("cannot make %s: there is no such listener", key)
	}
	l := &Loaded{settings: map[string]Setting{}, dirs: Dirs{Base: c.BaseDir, Etc: c.EtcDir, Data: c.DataDir, Log: c.LogDir}}
	if c.loaded != nil {
		l.settings, l.dirs = maps.Clone(c.loaded.settings), c.loaded.dirs
	}
	for k := range l.settings { // one of the same name is another listener
		if k == key || strings.HasPrefix(k, key+".") {
			delete(l.settings, k)
		}
	}
	settings := []Setting{{Key: key, Value: address}}
	for o, v := range options {
		if find(key+"."+o) != nil {
			settings = append(settings, Setting{Key: key + "." + o, Value: v, File: "option " + o})
		}
	}
	if errs := l.take(settings); len(errs) > 0 {
		return nil, errs
	}
	return l, nil
}
