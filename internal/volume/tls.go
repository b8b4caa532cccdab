package volume

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/latchfs/latchfs/internal/awserr"
)

// caBundle names the file of the authorities that the SDK trusts, instead of those of the system.
const caBundle = "AWS_CA_BUNDLE"

// explainTLS says what to do where the server and we do not come to terms about TLS; nil if the error
// is about something else. flag gives the server's address.
func explainTLS(err error, server, flag string) error {
	switch awserr.TLS(err) {
	case awserr.UnknownAuthority:
		return fmt.Errorf("the certificate of %s is of an authority that is not trusted here: set %s to a PEM file with the certificate of that authority, and of all others that are needed, since it stands for those of the system (%w)",
			server, caBundle, err)
	case awserr.WrongName:
		return fmt.Errorf("the certificate of %s is not for that name%s: give %s the name that it is for (%w)", server, certified(err), flag, err)
	case awserr.OutOfDate:
		return fmt.Errorf("the certificate of %s has expired or is not valid yet: renew it at the server, or set the clock of this machine (%w)", server, err)
	case awserr.PlainServer:
		return fmt.Errorf("%s does not speak https: write http:// in %s if that is meant (%w)", server, flag, err)
	case awserr.TLSServer:
		return fmt.Errorf("%s does not speak the protocol over http: write https:// in %s if that is meant (%w)", server, flag, err)
	case awserr.BadHandshake:
		return fmt.Errorf("%s and latchfs do not agree on TLS: check %s, and the certificate and the TLS versions of the server (%w)", server, flag, err)
	}
	return nil
}

// certified lists the names of a certificate that is for others than the one that was used.
func certified(err error) string {
	h, ok := errors.AsType[x509.HostnameError](err)
	if !ok || h.Certificate == nil {
		return ""
	}
	names := h.Certificate.DNSNames
	for _, ip := range h.Certificate.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return ""
	}
	return ", but for " + strings.Join(names, ", ")
}

// explainConfig says what to do where the SDK cannot read its configuration.
func explainConfig(err error) error {
	if file := os.Getenv(caBundle); file != "" {
		pem, rerr := os.ReadFile(file)
		switch {
		case rerr != nil:
			return fmt.Errorf("%s: %w: name a file that can be read, or unset it", caBundle, rerr)
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			return fmt.Errorf("%s: there is no certificate in %s: name a PEM file with those of the authorities that are needed, or unset it", caBundle, file)
		}
	}
	return fmt.Errorf("%w: check --profile, ~/.aws/config and ~/.aws/credentials", err)
}
