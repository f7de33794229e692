package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"vernemq/server/hooks"
)

// Endpoint is a web service that is registered for a hook.
type Endpoint struct {
	Hook            hooks.Name
	URL             string
	Plain           bool          // payloads are not base64
	NoPayload       bool          // auth_on_publish leaves the payload out
	ResponseTimeout time.Duration // default 5 s
}

const defaultTimeout = 5 * time.Second

// endpoint is a registered Endpoint with what it has done.
type endpoint struct {
	Endpoint
	client  *client
	caches  atomic.Bool // there has been an answer that may be kept
	figures counters
}

// counters are those of an endpoint, or of a hook.
type counters struct {
	requests, errors, bytesSent, timeouts, cancelled, elapsed, hits, misses atomic.Uint64
}

// maxAnswer is the size of the largest answer, in bytes.
const maxAnswer = 8 << 20

var (
	errStatus   = errors.New("status is not 200")
	errTooLarge = fmt.Errorf("answer is larger than %d bytes", maxAnswer)
)

// checkURL tells whether something can be asked at a URL.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is no URL", s)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not of the form http://HOST or https://HOST", s)
	}
	return nil
}

// shown is a URL for the log: a password in it is not shown.
func shown(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return u.Redacted()
}

// post makes a request and gives the answer, and for how long it may be kept.
func (e *endpoint) post(ctx context.Context, total *counters, body []byte) (answer []byte, age time.Duration, err error) {
	both := [2]*counters{&e.figures, total}
	for _, c := range both {
		c.requests.Add(1)
		c.bytesSent.Add(uint64(len(body)))
	}
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, e.ResponseTimeout)
	defer cancel()
	answer, age, err = e.exchange(limited, body)
	for _, c := range both {
		c.elapsed.Add(uint64(time.Since(start).Milliseconds()))
		switch {
		case err == nil:
		case ctx.Err() != nil: // that is not the endpoint's fault
			c.cancelled.Add(1)
		case limited.Err() != nil:
			c.timeouts.Add(1)
			c.errors.Add(1)
		default:
			c.errors.Add(1)
		}
	}
	if err != nil {
		err = fmt.Errorf("cannot ask %s: %w", shown(e.URL), err)
	}
	return answer, age, err
}

func (e *endpoint) exchange(ctx context.Context, body []byte) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header = http.Header{
		"vernemq-hook": {e.Hook.String()}, // endpoints may look for it as VerneMQ writes it
		"Content-Type": {"application/json"},
		"User-Agent":   {"vernemq"},
	}
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	if e.Hook <= hooks.AuthOnSubscribeM5 { // auth_on_register to auth_on_subscribe
		// Such a question may be asked twice. So it is, on another connection, when
		// the one that was kept turns out to be closed. The header is not sent.
		req.Header["Idempotency-Key"] = nil
	}
	resp, err := e.client.Load().RoundTrip(req) // no redirects: only status 200 counts
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(answer) > maxAnswer:
		return nil, 0, errTooLarge
	case resp.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("%w but %d", errStatus, resp.StatusCode)
	}
	return answer, maxAge(resp.Header), nil
}

var maxAgeText = regexp.MustCompile(`(?i)max-age=(\d+)`)

// maxAge is how long an answer may be kept; 0 when it may not.
func maxAge(h http.Header) time.Duration {
	for _, v := range h.Values("Cache-Control") {
		if m := maxAgeText.FindStringSubmatch(v); m != nil {
			n, err := strconv.ParseUint(m[1], 10, 31)
			if err != nil {
				n = 1<<31 - 1
			}
			return time.Duration(n) * time.Second
		}
	}
	return 0
}
