package admin

import (
	"fmt"
	"io"
	"strings"
)

// Commands are all commands, those of plugins included.
func Commands() []Command { return tree }

// WriteReference writes all commands as a Markdown document,
// docs/vmq-admin.md.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# vmq-admin

Made from the commands in server/admin by ` + "`go test ./server/admin -run TestReference -update`" + `.

    vmq-admin [--socket FILE | --base DIR | --config FILE] COMMAND [KEY=VALUE ...] [--FLAG[=VALUE] ...]

Keys come before flags, in any order. A flag and its value may also be two
words. Every command takes ` + "`--help`" + ` and ` + "`--format=human|json|csv`" + `. It ends with 0 when
it was carried out or declined for a reason that it gives, and with 1 when the
line is wrong, a value is refused, or no broker answers.
` + "`-rpctimeout MS`" + ` or ` + "`-rpctimeout infinity`" + `, anywhere in the line, says how long it may take (60 s).

Over HTTP the words are the path below ` + "`/api/v1/`" + ` and the rest is the query:
` + "`/api/v1/session/show?--client_id&--limit=10`" + `.
`)
	for i := range tree {
		c := &tree[i]
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s```\n", c.Name, strings.TrimRight(c.help(), "\n")+"\n")
		switch c.Needs {
		case WebhooksPart:
			b.WriteString("\nWhile plugin vmq_webhooks runs.\n")
		case BridgesPart:
			b.WriteString("\nWhile plugin vmq_bridge runs.\n")
		case ScriptsPart:
			b.WriteString("\nWhile plugin vmq_diversity runs.\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
