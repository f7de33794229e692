package main

import (
	"fmt"

	"vernemq/server/admin"
	"vernemq/server/config"
)

// complete prints the words with which a line may go on. The last argument is
// the word that is being written, which may be empty.
func (t *tool) complete(args []string) error {
	for _, w := range admin.Complete(args, config.LiveKeys()) {
		if _, err := fmt.Fprintln(t.out, w); err != nil {
			return err
		}
	}
	return nil
}

// scripts ask `vmq-admin completion -- WORDS` what may come next.
var scripts = map[string]string{
	"bash": `
# vmq-admin completion bash > /etc/bash_completion.d/vmq-admin
_vmq_admin() {
	local line="${COMP_LINE:0:COMP_POINT}" words
	read -ra words <<<"$line"
	[[ "$line" == *" " ]] && words+=("")
	local cur="${words[-1]}"
	local IFS=$'\n'
	COMPREPLY=($("${words[0]}" completion -- "${words[@]:1}" 2>/dev/null))
	# bash splits at = and gives only what stands behind it
	if [[ "$cur" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
	fi
	[[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" == *= ]] && compopt -o nospace
}
complete -F _vmq_admin vmq-admin
`,
	"zsh": `
#compdef vmq-admin
# vmq-admin completion zsh > ~/.zsh/completions/_vmq-admin
_vmq_admin() {
	local -a found
	found=("${(@f)$("${words[1]}" completion -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	compadd -Q -- $found
}
compdef _vmq_admin vmq-admin
`,
	"fish": `
# vmq-admin completion fish > ~/.config/fish/completions/vmq-admin.fish
complete -c vmq-admin -f -a '(vmq-admin completion -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}
