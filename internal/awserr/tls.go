package awserr

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// A TLSFault is why the two sides of a connection do not come to terms about TLS.
type TLSFault uint8

const (
	// NoTLSFault: the error is about something else.
	NoTLSFault TLSFault = iota
	// UnknownAuthority: the server's certificate is of an authority that is not trusted here.
	UnknownAuthority
	// WrongName: the certificate is for other names than the one that the server was called by.
	WrongName
	// OutOfDate: the certificate has expired, or is not valid yet.
	OutOfDate
	// PlainServer: the server does not speak https, which it was asked in.
	PlainServer
	// TLSServer: it speaks https and was asked in http.
	TLSServer
	// BadHandshake: anything else.
	BadHandshake
)

// TLS tells what the error of a request says of TLS.
func TLS(err error) TLSFault {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return UnknownAuthority
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return WrongName
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return OutOfDate
		}
		return BadHandshake
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return PlainServer
	}
	_, alert := errors.AsType[tls.AlertError](err)
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case alert || unverified:
		return BadHandshake
	case answeredPlain(err):
		return TLSServer
	}
	return NoTLSFault
}

// answeredPlain tells whether the answer looks like that of a server of https to http: most say 400
// in words of their own, and some begin with a TLS record.
func answeredPlain(err error) bool {
	if err != nil && strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`) {
		return true // net/http has no type for it
	}
	r := response(err)
	if r == nil || r.StatusCode != http.StatusBadRequest || r.Request == nil || r.Request.URL.Scheme != "http" {
		return false
	}
	_, unreadable := errors.AsType[*smithy.DeserializationError](err)
	return unreadable
}
