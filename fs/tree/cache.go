package tree

import "container/list"

// A cache is a map of bounded weight, from which what was put first is dropped first.
type cache[V any] struct {
	max, weight int
	byKey       map[string]*list.Element
	order       list.List // of *cached[V], oldest first
}

type cached[V any] struct {
	key    string
	value  V
	weight int
}

func newCache[V any](limit int) *cache[V] {
	return &cache[V]{max: limit, byKey: make(map[string]*list.Element)}
}

func (c *cache[V]) get(key string) (v V, ok bool) {
	if e, ok := c.byKey[key]; ok {
		return e.Value.(*cached[V]).value, true
	}
	return v, false
}

// put sets a value, which is then the youngest. One that is heavier than the whole cache
// is not kept.
func (c *cache[V]) put(key string, v V, weight int) {
	c.drop(key)
	if weight > c.max {
		return
	}
	c.byKey[key] = c.order.PushBack(&cached[V]{key, v, weight})
	c.weight += weight
	for c.weight > c.max {
		c.drop(c.order.Front().Value.(*cached[V]).key)
	}
}

func (c *cache[V]) drop(key string) {
	if e, ok := c.byKey[key]; ok {
		c.weight -= e.Value.(*cached[V]).weight
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}

// dropOldest drops from the oldest on as long as useless says so.
func (c *cache[V]) dropOldest(useless func(V) bool) {
	for e := c.order.Front(); e != nil && useless(e.Value.(*cached[V]).value); e = c.order.Front() {
		c.drop(e.Value.(*cached[V]).key)
	}
}
