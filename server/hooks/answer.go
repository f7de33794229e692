package hooks

import (
	"sync/atomic"

	"vernemq/codec"
)

// Result is what a plugin says.
type Result uint8

// The results. The zero value asks the next plugin.
const (
	Next   Result = iota // somebody else may know
	OK                   // yes
	Failed               // no, and nobody else is asked
	Later                // ask Wait; an answer of Now only
)

// Answer is what a plugin, or a whole chain, says to a request. M is what it
// may change; it must not be changed after it was given.
type Answer[M any] struct {
	Result    Result
	Modifiers *M       // of OK, nil for none
	Refusal   *Refusal // of Failed, nil for one without particulars
	// Lasts tells how long an OK of auth_on_publish without modifiers holds for
	// other messages of the client to the same topic, whatever they are like;
	// nil is not at all. It counts for the first plugin of a chain, as those
	// before another have to be asked.
	Lasts *Epoch
}

// Epoch is a time in which a plugin would answer a question the same. A plugin
// ends it when it has something new to go by, after that is in force.
type Epoch struct{ over atomic.Bool }

// End ends the epoch. Any goroutine.
func (e *Epoch) End() { e.over.Store(true) }

// Over tells that the epoch has ended. Any goroutine.
func (e *Epoch) Over() bool { return e.over.Load() }

// Refusal says why something is refused, and what the client is told.
type Refusal struct {
	Cause              string           // for the log
	InvalidCredentials bool             // of register: user name or password is wrong
	Code               codec.ReasonCode // for clients of MQTT 5; 0 is what the hook's refusals have
	Reason             string           // Reason String, "" for none
	ServerReference    string           // of register: where else the client may try
}

// Refusals that chains make themselves.
var (
	Nobody    = &Refusal{Cause: "no_matching_hook_found"}
	Exhausted = &Refusal{Cause: "plugin_chain_exhausted"}
	// BadCredentials is that of a plugin that knows the user and not the password.
	BadCredentials = &Refusal{Cause: "invalid_credentials", InvalidCredentials: true, Code: codec.BadUsernameOrPassword}

	unspecified = &Refusal{Cause: "refused"}
	panicked    = &Refusal{Cause: "plugin panicked"}
	overdue     = &Refusal{Cause: "plugin did not answer in time"}
	overloaded  = &Refusal{Cause: "too many requests wait for the plugin"}
	unanswered  = &Refusal{Cause: "plugin gave no answer"}
)

// Refuse makes a failure with a cause for the log.
func Refuse[M any](cause string) Answer[M] {
	return Answer[M]{Result: Failed, Refusal: &Refusal{Cause: cause}}
}

func refuse[M any](r *Refusal) Answer[M] { return Answer[M]{Result: Failed, Refusal: r} }

// Names of the answers to the hooks.
type (
	RegisterAnswer    = Answer[RegisterModifiers]
	AuthAnswer        = Answer[AuthModifiers]
	PublishAnswer     = Answer[PublishModifiers]
	SubscribeAnswer   = Answer[SubscribeModifiers]
	UnsubscribeAnswer = Answer[UnsubscribeModifiers]
	DeliverAnswer     = Answer[DeliverModifiers]
)
