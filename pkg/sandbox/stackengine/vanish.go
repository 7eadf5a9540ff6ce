package stackengine

// Vanish takes away a resource that somebody deleted through its service.
// The stack that owns it is not told: drift detection finds it gone.
func (e *Engine) Vanish(typeName, physicalID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := typeName + "|" + physicalID
	item := e.State.Items[key]
	if item == nil {
		return
	}
	e.load().dropItem(key, item)
	delete(e.State.Items, key)
}
