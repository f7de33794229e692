// Package pemkey reads encrypted private keys.
package pemkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// Decrypt decrypts the private keys among PEM blocks: those of PKCS #8
// (PBES2, what openssl writes today) and the older kind with DEK-Info.
func Decrypt(text []byte, password string) ([]byte, error) {
	var out []byte
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return out, nil
		}
		text = rest
		//lint:ignore SA1019 weak, but such files exist, and reading them harms nobody
		old := x509.IsEncryptedPEMBlock(block)
		if block.Type != "ENCRYPTED PRIVATE KEY" && !old {
			out = append(out, pem.EncodeToMemory(block)...)
			continue
		}
		if password == "" {
			return nil, errors.New("the key is encrypted, and its password is not set")
		}
		var der []byte
		var err error
		kind := "PRIVATE KEY"
		if old {
			kind = block.Type
			//lint:ignore SA1019 as above
			der, err = x509.DecryptPEMBlock(block, []byte(password))
		} else {
			der, err = decryptPKCS8(block.Bytes, password)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot decrypt the key: %w", err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
}

// The structures of RFC 5958 and RFC 8018.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2 struct{ KDF, Cipher pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeySize    int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	prfs = map[string]func() hash.Hash{
		"":                    sha1.New,
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	// ciphers in CBC mode, with the size of their keys
	ciphers = map[string]struct {
		size int
		make func([]byte) (cipher.Block, error)
	}{
		"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
		"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
		"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
		"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
	}
)

// mostIterations bounds the time that a file can take, to some seconds.
const mostIterations = 10_000_000

var (
	errKeyFormat   = errors.New("it is not PKCS #8")
	errKeyCipher   = errors.New("its cipher is not known; openssl pkcs8 -topk8 -v2 aes-256-cbc makes one that is")
	errKeyPassword = errors.New("keypasswd is wrong")
)

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var key encryptedKey
	var scheme pbes2
	var kdf pbkdf2Params
	var iv []byte
	if !whole(der, &key) {
		return nil, errKeyFormat
	}
	if !key.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, errKeyCipher
	}
	if !whole(key.Algorithm.Parameters.FullBytes, &scheme) {
		return nil, errKeyFormat
	}
	c := ciphers[scheme.Cipher.Algorithm.String()]
	if !scheme.KDF.Algorithm.Equal(oidPBKDF2) || c.make == nil {
		return nil, errKeyCipher
	}
	if !whole(scheme.KDF.Parameters.FullBytes, &kdf) || !whole(scheme.Cipher.Parameters.FullBytes, &iv) {
		return nil, errKeyFormat
	}
	hash := prfs[kdf.PRF.Algorithm.String()]
	if hash == nil {
		return nil, errKeyCipher
	}
	if kdf.Iterations < 1 || kdf.Iterations > mostIterations {
		return nil, errKeyFormat
	}
	secret, err := pbkdf2.Key(hash, password, kdf.Salt, kdf.Iterations, c.size)
	if err != nil {
		return nil, err
	}
	block, err := c.make(secret)
	if err != nil {
		return nil, err
	}
	return decryptCBC(block, iv, key.Data)
}

func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	n := block.BlockSize()
	if len(iv) != n || len(data) == 0 || len(data)%n != 0 {
		return nil, errKeyFormat
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad < 1 || pad > n {
		return nil, errKeyPassword
	}
	out = out[:len(out)-pad]
	if _, err := x509.ParsePKCS8PrivateKey(out); err != nil {
		return nil, errKeyPassword
	}
	return out, nil
}

// whole reads all of a structure.
func whole[T any](der []byte, to *T) bool {
	rest, err := asn1.Unmarshal(der, to)
	return err == nil && len(rest) == 0
}
