package httpapi

import (
	"path/filepath"
	"testing"
)

// TestNoOracle holds that who has no key does not learn which files there are.
func TestNoOracle(t *testing.T) {
	_, s := serve(t)
	here, err := filepath.Abs("v1.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"/api/v1/listener/start?--cafile=" + here, "/api/v1/listener/start?--cafile=/nonexistent",
		"-X OPTIONS /api/v1/listener/start?--cafile=/nonexistent", "-u wrong /api/v1/script/load?path=/nonexistent",
	} {
		if got := request(t, s, line); got != "401\nwww-authenticate: Authorization realm=\"VerneMQ\"\n" {
			t.Errorf("%s: %s", line, got)
		}
	}
}
