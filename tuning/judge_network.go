package tuning

import "fmt"

// judgeFiles judges the limits of open descriptors.
func judgeFiles(h *Host, p Plan) []Item {
	n := p.Descriptors()
	// A Go program raises its soft limit to the hard one when it starts.
	limit := Item{Name: "RLIMIT_NOFILE", Found: fmt.Sprintf("%s (soft %s)", h.FilesHard, h.FilesSoft), Wanted: Value(n).String(),
		Verdict: h.FilesHard.verdict(n),
		Reason:  "Descriptors of this process, one for each connection. Beyond, accept fails with EMFILE (too many open files): new clients wait and time out."}
	if h.FilesHard == Unknown {
		limit.Found = Unknown.String()
	}
	limit = limit.remedy("LimitNOFILE=%d in the unit of systemd; in a shell, as root: ulimit -n %d; for users: nofile in /etc/security/limits.conf", n, n)
	total := sysctl("fs.file-max", h.FileMax, n+otherFiles,
		"Descriptors of all processes. Beyond, accept fails with ENFILE, the kernel logs \"file-max limit reached\", and other programs fail, too.")
	if h.FileMax >= 1<<53 {
		total.Found = "unlimited"
	}
	if h.FilesInUse != Unknown {
		total.Found += fmt.Sprintf(" (%d in use)", h.FilesInUse)
	}
	return []Item{
		limit,
		sysctl("fs.nr_open", h.NrOpen, n, "The most that RLIMIT_NOFILE may be set to. Below LimitNOFILE, systemd gives the service fewer than the unit asks for."),
		total,
	}
}

// judgeConnects judges what a storm of connects meets.
func judgeConnects(h *Host, p Plan) []Item {
	cookies := ""
	if h.SynCookies == 0 {
		cookies = " SYN cookies are off, so a full queue drops clients."
	}
	return []Item{
		sysctl("net.core.somaxconn", h.Somaxconn, p.Backlog(),
			"Connections that wait to be accepted, and half-open ones, of each listening socket; it is read when the broker starts. Beyond, SYNs are dropped (ListenOverflows in nstat) and clients try again after 1, 3, 7 s."),
		sysctl("net.ipv4.tcp_max_syn_backlog", h.SynBacklog, p.halfOpen(h),
			"Half-open connections. Beyond, SYNs are dropped or answered with cookies, which lose TCP options (\"Possible SYN flooding\" in the kernel's log)."+cookies),
		sysctl("net.core.netdev_max_backlog", h.NetdevBacklog, p.Packets(),
			"Packets that wait for one core. Beyond, packets are dropped (second column of /proc/net/softnet_stat) and connections stall for a retransmission."),
	}
}

// judgeTCP judges the memory of TCP.
func judgeTCP(h *Host, p Plan) []Item {
	pages := p.TCPPages(h)
	reason := fmt.Sprintf("Pages of %d bytes for the data in all TCP buffers. Beyond, the kernel logs \"TCP: out of memory\", drops what arrives and resets connections. One client in %d is taken to have full first buffers, one in %d a full largest send buffer.",
		h.PageSize, activePart, stalledPart)
	if h.Memory > 0 && p.bufferBytes(h) > int64(h.Memory)/2 {
		reason += fmt.Sprintf(" That is %s; what is wanted here is half of the memory: set buffer_sizes or lower tcp_wmem.", size(Value(p.bufferBytes(h))))
	}
	items := []Item{
		sysctlTriple("net.ipv4.tcp_mem", h.TCPMem, pages, reason),
		sysctlTriple("net.ipv4.tcp_rmem", h.Receive, leastBuffers,
			"Receive buffer of a socket in bytes: least, first, largest. A small one slows large messages: at most one buffer per round trip arrives."),
		sysctlTriple("net.ipv4.tcp_wmem", h.Send, leastBuffers,
			"Send buffer of a socket in bytes: least, first, largest. A small one slows large messages; a large one is what a client that does not read takes of tcp_mem."),
	}
	const cut = "buffer_sizes asks for this many bytes; the kernel gives no more than this setting and says nothing."
	if p.Receive > 0 {
		items = append(items, sysctl("net.core.rmem_max", h.ReceiveMax, p.Receive, cut))
	}
	if p.Send > 0 {
		items = append(items, sysctl("net.core.wmem_max", h.SendMax, p.Send, cut))
	}
	return items
}

// judgeSpare judges tables of connections that have ended or are tracked.
func judgeSpare(h *Host, p Plan) []Item {
	track := sysctl("net.netfilter.nf_conntrack_max", h.Conntrack, p.Tracked(),
		"Connections that the firewall tracks. Beyond, packets are dropped (\"nf_conntrack: table full, dropping packet\"): clients cannot connect. Or do not track the port: NOTRACK.")
	switch {
	case h.Conntrack == Unknown:
		track.Found, track.Verdict, track.Remedy = "not loaded", OK, ""
	case h.ConntrackCount != Unknown:
		track.Found += fmt.Sprintf(" (%d in use)", h.ConntrackCount)
	}
	ports := Item{Name: "net.ipv4.ip_local_port_range", Found: "unknown", Wanted: fmt.Sprintf("%d ports", freePorts), Verdict: NotKnown,
		Reason: "Outgoing connections: bridges, and load generators on this host. Beyond, connect fails with EADDRNOTAVAIL. Clients of the broker need none."}
	if n := int64(h.PortsTo - h.PortsFrom + 1); h.PortsFrom != Unknown {
		ports.Found, ports.Verdict = fmt.Sprintf("%d %d", h.PortsFrom, h.PortsTo), Value(n).verdict(freePorts)
		ports.Reason += fmt.Sprintf(" A generator of %d connections to one address and port needs %d source addresses.", p.Connections, part(p.Connections, n))
	}
	value := "32768 60999"
	switch ports.Verdict {
	case OK:
		value = ports.Found
	case Low: // larger, so that no port is lost
		value = fmt.Sprintf("%d %d", min(h.PortsFrom, 32768), max(h.PortsTo, 60999))
	}
	return []Item{
		sysctl("net.ipv4.tcp_max_orphans", h.Orphans, p.Closing(),
			"Connections that the broker has closed and whose last bytes are under way. Beyond, they are reset (\"too many orphaned sockets\"): the client may lose its DISCONNECT."),
		sysctl("net.ipv4.tcp_max_tw_buckets", h.TimeWait, p.Closing(),
			"Closed connections that wait a minute for late packets. Beyond, the kernel logs \"time wait bucket table overflow\", and an old packet may meet a new connection."),
		track,
		ports.set(value),
	}
}
