// Package cloud is the only door to AWS beside the sandbox: it reads what a
// plan needs into plan.Live, and carries out what apply asks for through
// apply.Port. It owns the clients, the request budget, retries, timers and
// polling, so that nothing above it knows a clock or an AWS error.
//
// It decides nothing about a plan: it says what is there, does what it is
// told, and translates errors into apply.Failure. It never reads the value of
// a secret and never decrypts a parameter; the values that it makes itself
// (generate.go) leave it only in the write that stores them.
//
// No client becomes an interface value and no SDK paginator or waiter is
// used: either would keep every operation of every client in the binary, and
// the waiter for a deleted stack takes any validation error for success.
//
// Start with Open, then Read (phases and call bound) and Port (messages).
package cloud
