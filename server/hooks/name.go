package hooks

import "slices"

// Name is a hook.
type Name uint8

// The hooks, by the names that VerneMQ gives them. M5 are those for MQTT 5.
const (
	AuthOnRegister Name = iota
	AuthOnRegisterM5
	AuthOnPublish
	AuthOnPublishM5
	AuthOnSubscribe
	AuthOnSubscribeM5
	OnAuthM5
	OnRegister
	OnRegisterM5
	OnPublish
	OnPublishM5
	OnSubscribe
	OnSubscribeM5
	OnUnsubscribe
	OnUnsubscribeM5
	OnTopicUnsubscribed
	OnDeliver
	OnDeliverM5
	OnOfflineMessage
	OnClientWakeup
	OnClientOffline
	OnClientGone
	OnSessionExpired
	OnMessageDrop
	OnConfigChange
	NumNames
)

// names has the name of each hook and the number of arguments that it has in
// VerneMQ, where it is part of the name.
var names = [NumNames]struct {
	name  string
	arity int
}{
	{"auth_on_register", 5}, {"auth_on_register_m5", 6},
	{"auth_on_publish", 6}, {"auth_on_publish_m5", 7},
	{"auth_on_subscribe", 3}, {"auth_on_subscribe_m5", 4},
	{"on_auth_m5", 3},
	{"on_register", 3}, {"on_register_m5", 4},
	{"on_publish", 6}, {"on_publish_m5", 7},
	{"on_subscribe", 3}, {"on_subscribe_m5", 4},
	{"on_unsubscribe", 3}, {"on_unsubscribe_m5", 4},
	{"on_topic_unsubscribed", 2},
	{"on_deliver", 7}, {"on_deliver_m5", 7},
	{"on_offline_message", 5},
	{"on_client_wakeup", 1}, {"on_client_offline", 1}, {"on_client_gone", 1}, {"on_session_expired", 1},
	{"on_message_drop", 3}, {"on_config_change", 1},
}

func (n Name) String() string { return names[n].name }

// Arity is the number of arguments that the hook has in VerneMQ.
func (n Name) Arity() int { return names[n].arity }

// ParseName finds a hook by its name.
func ParseName(s string) (Name, bool) {
	i := slices.IndexFunc(names[:], func(x struct {
		name  string
		arity int
	}) bool {
		return x.name == s
	})
	return Name(max(i, 0)), i >= 0
}

// form chooses between the hooks of MQTT 3 and 5.
func form(v5 bool) int {
	if v5 {
		return 1
	}
	return 0
}
