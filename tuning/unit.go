package tuning

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

// Unit is what a unit of systemd is made from. Paths are absolute.
type Unit struct {
	Executable string
	Base       string   // of the option --base
	Config     string   // of the option --config, "" = none
	Set        []string // of the options --set
	Data, Logs string   // directories that the broker writes
	Others     []string // further paths that it and its clients use, such as unix sockets
}

// unitText: the broker tells when it listens. A start that takes long, as a
// repair of the store may, meets no timeout of systemd. A broker one of whose
// loops stands still for a minute is started anew. On SIGHUP it reads its
// configuration again. Files below /usr and /etc are read-only; other places stay
// open, for unix sockets and logs elsewhere.
var unitText = template.Must(template.New("unit").Parse(`# systemd unit for a broker with {{.Plan.Connections}} connections.
# Made by: vernemq tuning profile. Put it into /etc/systemd/system as
# vernemq.service, then: systemctl daemon-reload; systemctl enable --now vernemq
# The user: useradd --system --home-dir /var/lib/vernemq --shell /usr/sbin/nologin vernemq
[Unit]
Description=vernemq MQTT broker
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
# A start may have to repair the store; it says when it listens.
TimeoutStartSec=infinity
# Started anew when one of its loops stands still for a minute.
WatchdogSec=60
User=vernemq
Group=vernemq
ExecStart={{.Command "console"}}
# It fails, which is no matter, when the broker has ended already.
ExecStop=-{{.Command "stop"}}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
# A stop closes every connection in order; it takes 15 s at most.
TimeoutStopSec=40

# connections + listening sockets + {{.StoreFiles}} of the store + {{.ReserveFiles}} in reserve
LimitNOFILE={{.Plan.Descriptors}}
# threads: 256 + 4 for each of the {{.Cores}} cores
TasksMax={{.Tasks}}
LimitNPROC={{.Tasks}}
# The kernel ends others first when memory runs out.
OOMScoreAdjust=-500

{{range .Directories}}{{.}}
{{end}}# Ports below 1024 need no root.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome={{.ProtectHome}}
PrivateTmp={{.PrivateTmp}}
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`))

// unitData is what the text asks for.
type unitData struct {
	Unit
	Plan                     Plan
	Tasks, Cores             int64
	StoreFiles, ReserveFiles int
}

// Write gives the text of the unit.
func (u Unit) Write(h *Host, p Plan) (string, error) {
	var b strings.Builder
	d := unitData{u, p, p.Tasks(h), max(int64(h.Cores), 1), storeFiles, reserveFiles}
	if err := unitText.Execute(&b, d); err != nil {
		return "", fmt.Errorf("cannot write the unit: %w", err)
	}
	return b.String(), nil
}

// Command is a command line of the broker.
func (u Unit) Command(name string) string {
	words := []string{u.Executable, name, "--base", u.Base}
	if u.Config != "" {
		words = append(words, "--config", u.Config)
	}
	for _, v := range u.Set {
		words = append(words, "--set", v)
	}
	for i, w := range words {
		words[i] = strings.ReplaceAll(quoteUnit(w), "$", "$$") // variables are expanded in commands only
	}
	return strings.Join(words, " ")
}

// Directories are the lines for what the broker writes. systemd makes those of
// an installed package; others must exist and belong to the user (- lets systemd
// ignore that they do not, so that the broker says it).
func (u Unit) Directories() (lines []string) {
	for _, d := range []struct{ path, standard, key string }{
		{u.Data, "/var/lib/vernemq", "StateDirectory"},
		{u.Logs, "/var/log/vernemq", "LogsDirectory"},
	} {
		if d.path == d.standard {
			lines = append(lines, d.key+"=vernemq", d.key+"Mode=0750")
		} else {
			lines = append(lines, "ReadWritePaths="+quoteUnit("-"+d.path))
		}
	}
	return lines
}

// ProtectHome hides home directories, unless the broker lives in one.
func (u Unit) ProtectHome() string { return u.unlessIn("/home/", "/root/", "/run/user/") }

// PrivateTmp does so with the directories for temporary files.
func (u Unit) PrivateTmp() string { return u.unlessIn("/tmp/", "/var/tmp/") }

func (u Unit) unlessIn(dirs ...string) string {
	for _, p := range append([]string{u.Executable, u.Base, u.Config, u.Data, u.Logs}, u.Others...) {
		for _, d := range dirs {
			if strings.HasPrefix(p+"/", d) {
				return "no"
			}
		}
	}
	return "yes"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9/._@:,+=-]+$`)

// quoteUnit writes a word so that systemd reads it back as it is.
func quoteUnit(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return strings.ReplaceAll(strconv.Quote(s), "%", "%%")
}
