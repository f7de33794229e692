package server

import (
	"errors"
	"fmt"

	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/acl"
	"vernemq/server/plugin/passwd"
	"vernemq/server/plugin/webhooks"
)

// Vet tells why the plugins that run could not follow a configuration: files
// that it names and that they have not read yet are looked at. Any goroutine.
func (b *Broker) Vet(c *config.Config) error {
	old := b.config.Load()
	var errs []error
	if _, runs := b.Plugin("vmq_passwd").(*passwd.Plugin); runs && c.PasswordFile != old.PasswordFile {
		errs = append(errs, passwd.Vet(c.PasswordFile))
	}
	if _, runs := b.Plugin("vmq_acl").(*acl.Plugin); runs && c.ACLFile != old.ACLFile {
		errs = append(errs, acl.Vet(c.ACLFile))
	}
	if _, runs := b.Plugin("vmq_webhooks").(*webhooks.Plugin); runs && c.WebhookSettings != old.WebhookSettings {
		errs = append(errs, webhooks.Vet(webhookOptions(c.WebhookSettings)))
	}
	return errors.Join(errs...)
}

// reconfigurePlugins has the plugins that run follow a change. One that cannot
// goes on as it was.
func (b *Broker) reconfigurePlugins(old, c *config.Config) error {
	asked := c.FilesAsked != old.FilesAsked // then the files are looked at, though it be the same ones
	var errs []error
	if p, runs := b.Plugin("vmq_passwd").(*passwd.Plugin); runs && (asked || c.PasswordFile != old.PasswordFile || c.PasswordReload != old.PasswordReload) {
		errs = append(errs, p.Configure(c.PasswordFile, c.PasswordReload))
	}
	if p, runs := b.Plugin("vmq_acl").(*acl.Plugin); runs && (asked || c.ACLFile != old.ACLFile || c.ACLReload != old.ACLReload) {
		errs = append(errs, p.Configure(c.ACLFile, c.ACLReload))
	}
	if p, runs := b.Plugin("vmq_webhooks").(*webhooks.Plugin); runs && c.WebhookSettings != old.WebhookSettings {
		errs = append(errs, p.Configure(webhookOptions(c.WebhookSettings)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("a plugin keeps its old settings: %w", err)
	}
	return nil
}

// ConfigChanged tells on_config_change that other settings are in force, which
// are asked for if somebody wants to know. Any goroutine.
func (b *Broker) ConfigChanged(settings func() map[string]string) {
	if ev := b.hooks.Snapshot().OnConfigChange; ev != nil {
		ev.Tell(&hooks.ConfigChange{Settings: settings()})
	}
}
