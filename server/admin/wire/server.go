package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"time"

	"vernemq/server/admin"
	"vernemq/server/admin/output"
)

// patience is how long who asked may take to accept a piece of the answer.
const patience = 60 * time.Second

// Serve answers the request that a line is, on conn, and returns when the
// command has ended. It does not close conn.
func Serve(ctx context.Context, conn net.Conn, line []byte, node *admin.Node) error {
	out := &writer{conn: conn, w: bufio.NewWriterSize(conn, 32<<10)}
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return errors.Join(out.Alert("cannot read the request"), out.exit(1))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // until the client is gone, or who called closes conn
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	}()
	call, err := node.Parse(r.Args)
	if err == nil {
		out.send(&piece{Kind: kindFormat, Text: call.Format})
		call.Out = out
		err = call.Run(ctx)
	}
	if out.err != nil {
		return out.err
	}
	if ctx.Err() != nil && (call == nil || !call.Command().Terminal) {
		return ctx.Err()
	}
	code, err := admin.Report(out, err)
	return errors.Join(err, out.exit(code))
}

// writer is the Output that becomes pieces.
type writer struct {
	conn net.Conn
	w    *bufio.Writer
	buf  []byte
	err  error // the first one
}

func (w *writer) send(p *piece) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return w.line(b)
}

func (w *writer) line(b []byte) error {
	if w.err == nil && w.w.Available() <= len(b) {
		w.err = w.conn.SetWriteDeadline(time.Now().Add(patience))
	}
	if w.err == nil {
		_, w.err = w.w.Write(append(b, '\n'))
	}
	return w.err
}

func (w *writer) flush() error {
	if w.err == nil {
		w.err = w.conn.SetWriteDeadline(time.Now().Add(patience))
	}
	if w.err == nil {
		w.err = w.w.Flush()
	}
	return w.err
}

// now sends a piece without delay.
func (w *writer) now(p *piece) error { return errors.Join(w.send(p), w.flush()) }

func (w *writer) exit(code int) error { return w.now(&piece{Kind: kindExit, Code: code}) }

func (w *writer) Several() { _ = w.send(&piece{Kind: kindSeveral}) } // the error stays

func (w *writer) Plain(text string) error { return w.now(&piece{Kind: kindPlain, Text: text}) }

func (w *writer) Text(text string) error { return w.now(&piece{Kind: kindText, Text: text}) }

func (w *writer) Alert(text string) error { return w.now(&piece{Kind: kindAlert, Text: text}) }

func (w *writer) Table(columns ...string) error {
	return w.send(&piece{Kind: kindTable, Names: columns})
}

func (w *writer) Row(cells ...any) error {
	b := append(w.buf[:0], `{"k":"row","c":[`...)
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = encodeCell(b, c)
	}
	w.buf = append(b, "]}"...)
	return w.line(w.buf)
}

var _ output.Output = (*writer)(nil)
