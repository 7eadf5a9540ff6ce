package sandbox

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

var (
	timeType  = reflect.TypeFor[time.Time]()
	bytesType = reflect.TypeFor[[]byte]()
)

// fieldIndex remembers the wire names of the SDK's structs, because walking
// a type by reflection at every request would cost more than the request.
type fieldIndex struct{ types sync.Map } // reflect.Type → *typeFields

type typeFields struct {
	list   []field
	byName map[string]int // exact name → index into list
	lower  map[string]int // lower case name → index into list
}

type field struct {
	name  string // on the wire
	index int
}

// of returns the wire fields of a struct type.
func (x *fieldIndex) of(t reflect.Type) *typeFields {
	if f, ok := x.types.Load(t); ok {
		return f.(*typeFields)
	}
	f := &typeFields{byName: map[string]int{}, lower: map[string]int{}}
	for i := range t.NumField() {
		sf := t.Field(i)
		if !sf.IsExported() || sf.Name == "ResultMetadata" {
			continue
		}
		name := sf.Name
		if renamed, ok := renamedFields[t.Name()+"."+name]; ok {
			name = renamed
		}
		f.byName[name] = len(f.list)
		f.lower[strings.ToLower(name)] = len(f.list)
		f.list = append(f.list, field{name: name, index: i})
	}
	x.types.Store(t, f)
	return f
}

// renamedFields are the members of the awsQuery services that we serve whose
// wire name is not the Go name, found by comparing the SDK's serializers with
// its types.
var renamedFields = map[string]string{
	"CpuPerformanceFactorRequest.References": "Reference",
	"CpuPerformanceFactor.References":        "Reference",
}

// listItems are the list types whose wire items are not called "member".
var listItems = map[string]string{
	"PerformanceFactorReferenceRequest": "item",
	"PerformanceFactorReference":        "item",
}

func itemName(elem reflect.Type) string {
	if name, ok := listItems[elem.Name()]; ok {
		return name
	}
	return "member"
}
