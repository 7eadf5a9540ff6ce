package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/lock"
)

func newUnlock(g *global) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Take the lock away from a run that is dead",
		Long: `unlock shows who holds the lock, asks, and takes it away. A run that is dead
loses its lock by itself, after its lease (a minute) has passed while somebody
waits; unlock is for those who cannot wait. A run that lives on notices before
its next change and changes nothing more.`,
		Example: "  reconcile unlock --sandbox\n  reconcile unlock --yes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			_, desired, err := g.load(ctx)
			if err != nil {
				return err
			}
			s, err := g.open(ctx, desired.Target)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			store := s.cloud.Bucket(desired.Target.Account, desired.Own.Bucket).Lock(lockKey(desired.Target))
			holder, err := lock.Look(ctx, store)
			if err != nil {
				return err
			}
			if holder == nil {
				fmt.Fprintln(g.out, "not locked")
				return nil
			}
			fmt.Fprintf(g.out, "%s\n  held by %s, renewed %s\n", store.Where(), printable(holder.String()), counted(holder.Beat, "time"))
			if !yes {
				if err := g.askUnlock(cmd); err != nil {
					return err
				}
			}
			if err := lock.Break(ctx, store, *holder); err != nil {
				if errors.Is(err, lock.ErrChanged) {
					return failWith(exitRefused, "somebody else took the lock meanwhile; nothing was changed")
				}
				return err
			}
			fmt.Fprintln(g.out, "unlocked")
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; needed where there is no terminal")
	return cmd
}

func (g *global) askUnlock(cmd *cobra.Command) error {
	if !terminal(g.in) {
		return failWith(exitRefused, "no terminal to ask on; if that run is dead, add --yes")
	}
	fmt.Fprint(g.err, "\nTake the lock away? If that run lives it ends in the middle. Only 'yes' is taken: ")
	line, err := g.readLine(cmd.Context())
	if err != nil || strings.TrimSpace(line) != "yes" {
		return failWith(exitRefused, "not confirmed; nothing was changed")
	}
	return nil
}
