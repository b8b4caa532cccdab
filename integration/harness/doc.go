// Package harness runs latchfs as its users do: servers, mounts and programs are
// processes, and every host is a mount with its own state directory and UTS name.
//
// A test binary that calls Suite.Main runs three times over:
//
//	the outer process    makes one temporary root, starts the supervisor in new mount
//	                     and pid namespaces, and removes the root when it has ended
//	the supervisor       is process 1 of that pid namespace: it reaps orphans, reports
//	                     processes and mounts left behind, and with its end the kernel
//	                     ends every process that was started below it
//	the test process     runs the tests
//
// So nothing outlives a run, however the test process dies, and no mount is visible to
// the rest of the machine. The test binary is also started as a program that works on a
// mount (Suite.Program) and as the thin launcher that gives a host its name.
package harness
