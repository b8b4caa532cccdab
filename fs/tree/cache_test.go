package tree

import (
	"fmt"
	"testing"
)

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int](10)
	for i := range 100 {
		c.put(fmt.Sprint(i), i, 1+i%3)
		if c.weight > 10 || len(c.byKey) != c.order.Len() {
			t.Fatalf("weight %d, %d keys, %d in order", c.weight, len(c.byKey), c.order.Len())
		}
		if v, ok := c.get(fmt.Sprint(i)); !ok || v != i {
			t.Fatalf("get(%d) = %d, %v", i, v, ok)
		}
	}
	if _, ok := c.get("90"); ok {
		t.Error("the oldest is there")
	}
	c.put("97", 0, 1) // is now the youngest
	c.put("x", 0, 8)
	if _, ok := c.get("97"); !ok || c.weight != 10 {
		t.Errorf("97: %v, weight %d", ok, c.weight)
	}
	c.put("x", 0, 11)
	if _, ok := c.get("x"); ok || c.weight != 2 {
		t.Errorf("too heavy: %v, weight %d", ok, c.weight)
	}
	c.dropOldest(func(int) bool { return true })
	if c.weight != 0 || len(c.byKey) != 0 {
		t.Errorf("weight %d, %d keys", c.weight, len(c.byKey))
	}
}
