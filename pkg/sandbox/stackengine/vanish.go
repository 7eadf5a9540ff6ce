package stackengine

import "context"

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

// Live are the properties of a resource as its service has them now.
func (e *Engine) Live(ctx context.Context, typeName, physicalID string) (map[string]any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	item := e.State.Items[typeName+"|"+physicalID]
	if item == nil {
		return nil, &HandlerError{Code: codeNotFound, Message: "Resource of type '" + typeName + "' with identifier '" + physicalID + "' was not found."}
	}
	s := e.State.Stacks[item.Owner]
	if p, special := e.Providers[typeName]; special && s != nil && s.Resources[item.LogicalID] != nil {
		live, err := p.Read(ctx, e.view(s, s.Resources[item.LogicalID]))
		if err != nil {
			return nil, err
		}
		return decode(compact(live)), nil
	}
	if item.Properties == nil && s != nil && s.Resources[item.LogicalID] != nil {
		return decode(s.Resources[item.LogicalID].Properties), nil
	}
	return decode(item.Properties), nil
}
