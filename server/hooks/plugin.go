package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Asked are a plugin's functions for a hook that decides; see the package's
// documentation. At least one of them must be there for the hook to count.
type Asked[R, M any] struct {
	Now  func(r *R) Answer[M]
	Wait func(ctx context.Context, r *R) Answer[M]
}

// Told are a plugin's functions for a hook that only watches: Now on the loop,
// or Wait beside it.
type Told[E any] struct {
	Now  func(e *E)
	Wait func(ctx context.Context, e *E)
}

// Hooks are the functions of a plugin, with an empty field for each hook that
// it does not have.
type Hooks struct {
	AuthOnRegister, AuthOnRegisterM5   Asked[Register, RegisterModifiers]
	AuthOnPublish, AuthOnPublishM5     Asked[Message, PublishModifiers]
	AuthOnSubscribe, AuthOnSubscribeM5 Asked[Subscribe, SubscribeModifiers]
	OnAuthM5                           Asked[Auth, AuthModifiers]
	OnUnsubscribe, OnUnsubscribeM5     Asked[Unsubscribe, UnsubscribeModifiers]
	OnDeliver, OnDeliverM5             Asked[Message, DeliverModifiers]

	OnRegister, OnRegisterM5   Told[Register]
	OnPublish, OnPublishM5     Told[Message]
	OnSubscribe, OnSubscribeM5 Told[Subscribe]
	OnTopicUnsubscribed        Told[Unsubscribe]
	OnOfflineMessage           Told[Message]
	OnClientWakeup             Told[Client]
	OnClientOffline            Told[Client]
	OnClientGone               Told[Client]
	OnSessionExpired           Told[Client]
	OnMessageDrop              Told[Drop]
	OnConfigChange             Told[ConfigChange]
}

// Plugin is a plugin that runs.
type Plugin interface {
	// Hooks gives the plugin's functions. It is called when the plugin is
	// enabled and after Env.Changed.
	Hooks() Hooks
	// Bounds are what the broker grants to the plugin's Wait functions. It is
	// called as Hooks is; Timeout stays what it was first.
	Bounds() Bounds
	// Close ends the plugin, which is not called any more. Calls of Wait that
	// still run have been told by their contexts.
	Close() error
}

// Bounds are limits of a plugin. What is zero has a default.
type Bounds struct {
	Workers int           // calls of Wait at the same time; 32
	Waiting int           // questions that wait for their turn, and as many events; 65,536
	Bytes   int           // of questions that wait for their turn, and of events; 64 MiB
	Timeout time.Duration // until a call of Wait must have returned, waiting included; 30 s
}

func (b Bounds) withDefaults() Bounds {
	set := func(n *int, to int) {
		if *n <= 0 {
			*n = to
		}
	}
	set(&b.Workers, 32)
	set(&b.Waiting, 65536)
	set(&b.Bytes, 64<<20)
	if b.Timeout <= 0 {
		b.Timeout = 30 * time.Second
	}
	return b
}

// Env is what a plugin gets of the broker.
type Env struct {
	Log *slog.Logger
	// Dir is where the plugin's files lie: plugins.NAME.path, else the
	// configuration's directory.
	Dir string
	// Changed has the broker ask for Hooks again. Any goroutine, but not from
	// within Hooks, and not before the factory has returned.
	Changed func()
}

// Factory makes a plugin that is to be enabled.
type Factory func(Env) (Plugin, error)

var (
	providedMu sync.Mutex
	provided   = map[string]Factory{}
)

// Provide makes a plugin known under a name, so that plugins.NAME = on enables
// it. A package calls it in init; to compile a plugin in is to import its
// package. It panics when the name is taken.
func Provide(name string, f Factory) {
	providedMu.Lock()
	defer providedMu.Unlock()
	if provided[name] != nil {
		panic(fmt.Sprintf("hooks: two plugins are called %s", name))
	}
	provided[name] = f
}

// Provided finds a plugin that was compiled in.
func Provided(name string) (Factory, bool) {
	providedMu.Lock()
	defer providedMu.Unlock()
	f, ok := provided[name]
	return f, ok
}

// ProvidedNames are the names of all plugins that were compiled in.
func ProvidedNames() []string {
	providedMu.Lock()
	defer providedMu.Unlock()
	return slices.Sorted(maps.Keys(provided))
}
