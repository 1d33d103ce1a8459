// Encrypts or decrypts a payload as Tink does, from the standard input to the standard output.
//
// The arguments are "encrypt" or "decrypt", the key in base64, and the associated data. The key is one of Tink's template
// AES256_GCM_HKDF_1MB. What can't be decrypted ends the program with Tink's own error.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/streamingaead/aesgcmhkdf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

func main() {
	if err := run(os.Args[1], os.Args[2], []byte(os.Args[3])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(what, key string, associatedData []byte) error {
	primitive, err := primitiveOf(key)
	if err != nil {
		return err
	}
	switch what {
	case "encrypt":
		writer, err := primitive.NewEncryptingWriter(os.Stdout, associatedData)
		if err != nil {
			return err
		}
		if _, err := io.Copy(writer, os.Stdin); err != nil {
			return err
		}
		return writer.Close()
	case "decrypt":
		reader, err := primitive.NewDecryptingReader(os.Stdin, associatedData)
		if err != nil {
			return err
		}
		_, err = io.Copy(os.Stdout, reader)
		return err
	default:
		return fmt.Errorf("%q is neither encrypt nor decrypt", what)
	}
}

func primitiveOf(encoded string) (tink.StreamingAEAD, error) {
	value, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	parameters, err := parametersOfTemplate()
	if err != nil {
		return nil, err
	}
	key, err := aesgcmhkdf.NewKey(parameters, secretdata.NewBytesFromData(value, insecuresecretdataaccess.Token{}))
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManager()
	id, err := manager.AddKey(key)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	return streamingaead.New(handle)
}

// parametersOfTemplate takes sizes and hashes from the template itself, so that this program repeats none of them.
func parametersOfTemplate() (*aesgcmhkdf.Parameters, error) {
	handle, err := keyset.NewHandle(streamingaead.AES256GCMHKDF1MBKeyTemplate())
	if err != nil {
		return nil, err
	}
	entry, err := handle.Primary()
	if err != nil {
		return nil, err
	}
	parameters, ok := entry.Key().Parameters().(*aesgcmhkdf.Parameters)
	if !ok {
		return nil, errors.New("the template is of another kind of key")
	}
	return parameters, nil
}
