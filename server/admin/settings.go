package admin

import (
	"context"

	"vernemq/server/config"
)

// liveSettings are the settings of a running node.
type liveSettings struct{ live *config.Live }

// LiveSettings gives a running configuration to the commands.
func LiveSettings(v *config.Live) Settings { return liveSettings{v} }

func (liveSettings) Known(key string) bool { return config.Known(key) }

func (liveSettings) Live(key string) bool { return config.MayChange(key) }

func (liveSettings) Check(key, value string) string { return config.Check(key, value) }

func (liveSettings) Doc(key string) string { return config.Doc(key) }

func (liveSettings) Inert(key string) string { return config.Inert(key) }

func (s liveSettings) Set(_ context.Context, values map[string]string) error {
	return s.live.Set(values)
}

func (s liveSettings) Reset(_ context.Context, key string) error { return s.live.Reset(key) }

func (s liveSettings) Value(key string) any { return s.live.Current().Value(key) }

func (s liveSettings) Origin(key string) Origin { return Origin(s.live.Current().Origin(key)) }

func (liveSettings) Group(app string) ([]string, bool) {
	keys := config.Application(app)
	return keys, len(keys) > 0
}
