package pemkey

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"os/exec"
	"strings"
	"testing"

	"vernemq/reactor/tlstest"
)

// encrypt lets openssl encrypt a key.
func encrypt(t *testing.T, key []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(key)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, &problem)
	}
	return out.Bytes()
}

// TestEncryptedKeys reads what openssl writes.
func TestEncryptedKeys(t *testing.T) {
	ca := tlstest.New(t, "authority")
	for _, leaf := range []*tlstest.Leaf{ca.Issue("ec", nil), ca.IssueRSA("rsa")} {
		for name, args := range map[string]string{
			"default": "pkcs8 -topk8 -passout pass:secret",
			"aes-128": "pkcs8 -topk8 -v2 aes-128-cbc -passout pass:secret",
			"des3":    "pkcs8 -topk8 -v2 des3 -v2prf hmacWithSHA1 -passout pass:secret",
			"sha512":  "pkcs8 -topk8 -v2prf hmacWithSHA512 -iter 5000 -passout pass:secret",
			"old":     "pkey -aes256 -traditional -passout pass:secret",
		} {
			text := encrypt(t, leaf.KeyPEM(), strings.Fields(args)...)
			if !bytes.Contains(text, []byte("ENCRYPTED")) {
				t.Fatalf("%s: %s", name, text)
			}
			key, err := Decrypt(text, "secret")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if _, err := tls.X509KeyPair(leaf.CertPEM(), key); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := Decrypt(text, "wrong"); err == nil {
				t.Errorf("%s: a wrong password does", name)
			}
			if _, err := Decrypt(text, ""); err == nil || !strings.Contains(err.Error(), "password is not set") {
				t.Errorf("%s: %v", name, err)
			}
		}
		text := encrypt(t, leaf.KeyPEM(), strings.Fields("pkcs8 -topk8 -scrypt -passout pass:secret")...)
		if _, err := Decrypt(text, "secret"); err == nil || !strings.Contains(err.Error(), "cipher is not known") {
			t.Errorf("scrypt: %v", err)
		}
	}
}

// FuzzDecrypt never panics and never takes long.
func FuzzDecrypt(f *testing.F) {
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhj\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: make([]byte, 32)}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Count(text, []byte("-----BEGIN")) > 3 {
			return
		}
		_, _ = Decrypt(text, "x")
	})
}
