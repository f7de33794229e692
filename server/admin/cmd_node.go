package admin

import (
	"context"
	"time"

	"vernemq/server/admin/output"
)

func nodeCommands() []Command {
	return []Command{
		{Name: "node status", About: "Show the figures of this node", run: nodeStatus, Text: "Shows the figures of this node."},
		{Name: "node start", About: "Start the broker in this node", run: nodeStart, Text: "Starts the broker after node stop."},
		{Name: "node stop", About: "Stop the broker in this node", run: nodeStop,
			Text: "Stops the broker: its listeners, clients and plugins. The node itself goes on and answers vmq-admin."},
		{Name: "node history", About: "Show whether the node began with data", run: nodeHistory, Hidden: true, Text: "Tells whether the replicated data of the node existed when it began."},
		{Name: "node swc_sync_status", About: "Show the state of the replicated data", run: nodeSyncStatus, Hidden: true,
			Text: "Tells for each partition of the replicated data whether it was synchronised once."},
		{Name: "node flag_as_init_synced", About: "Take the replicated data as synchronised", run: nodeFlagSynced, Hidden: true,
			Text: "Takes the replicated data as synchronised."},
		{Name: "node upgrade", About: "Not supported", run: nodeUpgrade, Hidden: true, Text: "Code is not changed while it runs: start the new version instead.",
			Flags: []Param{{Name: "upgrade-now", Type: bareType}, {Name: "instruction-file", Value: "<File>", Type: textType}}},
		{Name: "cluster show", About: "Show the nodes of the cluster", run: clusterShow, Text: "Shows the nodes of the cluster and whether this one reaches them."},
		{Name: "cluster join", About: "Join a cluster", run: clusterJoin, Text: "Makes this node a member of the cluster of another one.",
			Keys: []Param{{Name: "discovery-node", Value: "<Node>", About: "a node of the cluster"}}},
		{Name: "cluster leave", About: "Leave the cluster", run: clusterLeave,
			Text: "Takes a node out of the cluster. Without --kill_sessions only its listeners for MQTT stop.",
			Keys: []Param{{Name: "node", Value: "<Node>", About: "the node that leaves"}},
			Flags: []Param{{Name: "kill_sessions", Short: 'k', Type: bareType, About: "ends its sessions and moves their queues"},
				{Name: "summary-interval", Short: 'i', Value: "<s>", Type: positiveType, About: "how often the progress is told. Default: 5."},
				{Name: "timeout", Short: 't', Value: "<s>", Type: positiveType, About: "how long to wait for the sessions to end. Default: 60."}}},
	}
}

func nodeStatus(ctx context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	var rows [][]any
	for _, f := range b.Status.Figures(ctx) {
		rows = append(rows, []any{f.Name, f.Value})
	}
	return output.AllRows(c.Out, []string{"Status", "Value"}, append(rows, []any{"version", c.Node.Version}))
}

func nodeStart(ctx context.Context, c *Call) error {
	if c.Node.Life == nil {
		return refuse("the broker cannot be started by itself here")
	}
	if err := c.Node.Life.Start(ctx); err != nil {
		return err
	}
	return c.done()
}

func nodeStop(ctx context.Context, c *Call) error {
	if c.Node.Life == nil {
		return refuse("the broker cannot be stopped by itself here")
	}
	if err := c.Node.Life.Stop(ctx); err != nil {
		return err
	}
	return c.done()
}

func nodeHistory(_ context.Context, c *Call) error { return c.text(c.Node.Cluster.History()) }

func nodeSyncStatus(_ context.Context, c *Call) error {
	partitions, err := c.Node.Cluster.Synced()
	if err != nil {
		return refuse("there is no replicated data: %s", oneLine(err))
	}
	var rows [][]any
	for _, p := range partitions {
		rows = append(rows, []any{p.Name, p.Synced})
	}
	return output.AllRows(c.Out, []string{"SWC Partition", "InitSynced"}, rows)
}

func nodeFlagSynced(_ context.Context, c *Call) error {
	if err := c.Node.Cluster.FlagSynced(); err != nil {
		return refuse("there is no replicated data: %s", oneLine(err))
	}
	return c.done()
}

func nodeUpgrade(_ context.Context, c *Call) error {
	return refuse("upgrade of a running node is not supported: stop it and start the new version")
}

func clusterShow(_ context.Context, c *Call) error {
	var rows [][]any
	for _, m := range c.Node.Cluster.Members() {
		rows = append(rows, []any{m.Node, m.Running})
	}
	return output.AllRows(c.Out, []string{"Node", "Running"}, rows)
}

func clusterJoin(ctx context.Context, c *Call) error {
	node := c.Key("discovery-node")
	if node == "" {
		return c.alert("You have to provide a discovery node (example discovery-node=vernemq1@127.0.0.1)")
	}
	if err := c.Node.Cluster.Join(ctx, node); err != nil {
		return refuse("RPC to node %s failed for reason: %s\n", quoteAtom(node), oneLine(err))
	}
	return c.done()
}

// LeftListening is what a node that only stops its listeners answers with.
const LeftListening = "Done! Use -k to teardown and migrate existing sessions!"

func clusterLeave(ctx context.Context, c *Call) error {
	node := c.Key("node")
	if node == "" {
		return c.alert("You have to provide a node")
	}
	o := LeaveOptions{Kill: c.On("kill_sessions"), SummaryInterval: time.Duration(c.Int("summary-interval", 5)) * time.Second,
		Timeout: time.Duration(c.Int("timeout", 60)) * time.Second}
	known := false
	for _, m := range c.Node.Cluster.Members() {
		known = known || m.Node == node
	}
	if !known {
		return c.done()
	}
	var failed error
	err := c.Node.Cluster.Leave(ctx, node, o, func(line string) {
		if failed == nil {
			failed = c.Out.Plain(line)
		}
	})
	switch {
	case err != nil:
		return c.text(oneLine(err))
	case failed != nil:
		return failed
	case !o.Kill:
		return c.text(LeftListening)
	}
	return c.done()
}
