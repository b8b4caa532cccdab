package store

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
)

// A Lifecycle is the set of rules by which the service itself removes and moves what is in a
// bucket. A request replaces the whole set, without a condition, so rules of others are kept as the
// very XML that the server gave: also what this program does not know of them.
type Lifecycle struct {
	Rules []LifecycleRule
	// MinimumSize is from which size on objects are moved between classes where a rule does not say
	// (x-amz-transition-default-minimum-object-size); "" is the service's default.
	MinimumSize string
}

// A LifecycleRule is one of them. XML is the inside of its Rule element; the other fields are what
// of it is shown.
type LifecycleRule struct {
	ID     string `xml:"ID"`
	Status string `xml:"Status"` // Enabled, Disabled
	// Prefix is of what the rule is for; the older form stands beside the filter.
	OldPrefix string          `xml:"Prefix"`
	Filter    LifecycleFilter `xml:"Filter"`

	ExpireDays    int    `xml:"Expiration>Days"`
	ExpireDate    string `xml:"Expiration>Date"`
	ExpireMarkers bool   `xml:"Expiration>ExpiredObjectDeleteMarker"` // delete markers below which nothing is left
	// NoncurrentDays after it was replaced a version is removed, but for the KeepNewer newest ones.
	NoncurrentDays int `xml:"NoncurrentVersionExpiration>NoncurrentDays"`
	KeepNewer      int `xml:"NoncurrentVersionExpiration>NewerNoncurrentVersions"`
	// AbortDays after it began an upload is ended.
	AbortDays int `xml:"AbortIncompleteMultipartUpload>DaysAfterInitiation"`

	Transitions           []LifecycleTransition `xml:"Transition"`
	NoncurrentTransitions []LifecycleTransition `xml:"NoncurrentVersionTransition"`

	XML string `xml:",innerxml"`
}

// A LifecycleFilter says for which objects a rule is.
type LifecycleFilter struct {
	Prefix string         `xml:"Prefix"`
	Tag    []LifecycleTag `xml:"Tag"`
	More   int64          `xml:"ObjectSizeGreaterThan"`
	Less   int64          `xml:"ObjectSizeLessThan"`
	And    struct {
		Prefix string         `xml:"Prefix"`
		Tag    []LifecycleTag `xml:"Tag"`
		More   int64          `xml:"ObjectSizeGreaterThan"`
		Less   int64          `xml:"ObjectSizeLessThan"`
	} `xml:"And"`
}

// A LifecycleTag is a tag that objects have to have.
type LifecycleTag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

// A LifecycleTransition moves objects to another storage class.
type LifecycleTransition struct {
	Days           int    `xml:"Days"`
	NoncurrentDays int    `xml:"NoncurrentDays"`
	Date           string `xml:"Date"`
	Class          string `xml:"StorageClass"`
}

// For gives the prefix of the keys that a rule is for, "" for all.
func (r LifecycleRule) For() string {
	for _, p := range []string{r.Filter.Prefix, r.Filter.And.Prefix, r.OldPrefix} {
		if p != "" {
			return p
		}
	}
	return ""
}

// ParseLifecycle reads the document of a bucket's rules.
func ParseLifecycle(document []byte) ([]LifecycleRule, error) {
	var doc struct {
		XMLName xml.Name        `xml:"LifecycleConfiguration"`
		Rules   []LifecycleRule `xml:"Rule"`
	}
	if err := xml.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("lifecycle rules: %w", err)
	}
	return doc.Rules, nil
}

// Document gives the document of the rules.
func (l Lifecycle) Document() []byte {
	var b strings.Builder
	b.WriteString(`<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for _, r := range l.Rules {
		b.WriteString("<Rule>" + r.XML + "</Rule>")
	}
	b.WriteString("</LifecycleConfiguration>")
	return []byte(b.String())
}

// Lifecycle gives the bucket's rules. It fails with ErrNotImplemented where the server has none at
// all.
func (c *Client) Lifecycle(ctx context.Context) (Lifecycle, error) {
	l, err := read(ctx, c, "Lifecycle", "", readPatience, c.api.Lifecycle)
	if err != nil && codeOf(err) == "NoSuchLifecycleConfiguration" {
		return Lifecycle{}, nil
	}
	return l, err
}

// SetLifecycle replaces the bucket's rules. Nothing keeps it from replacing what somebody else has
// set since they were read. It may be sent twice.
func (c *Client) SetLifecycle(ctx context.Context, l Lifecycle) error {
	return c.manage(ctx, "SetLifecycle", func(ctx context.Context) error { return c.api.SetLifecycle(ctx, l) })
}
