package store

// Unleased is the Permit of a mutation that needs no lease, for a reason that a reader of
// the code can check: an object with a name that nobody else can have, or one that the
// precondition alone protects. It is always valid.
func Unleased(reason string) Permit { return unleased(reason) }

type unleased string

func (unleased) Check() error     { return nil }
func (u unleased) String() string { return "no lease: " + string(u) }
