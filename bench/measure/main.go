// Measure runs a command and prints, as one line of JSON on file descriptor 3, what it used. It is
// a program of its own because the kernel starts a process's peak memory at that of the process it
// was spawned from: spawned from here, figures above a few megabytes are the command's own.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

type used struct {
	ExitCode  int     `json:"exit_code"` // 128 + n when a signal n ended it
	WallS     float64 `json:"wall_s"`
	UserS     float64 `json:"user_s"`
	SystemS   float64 `json:"system_s"`
	PeakRSSKB int64   `json:"peak_rss_kib"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: measure COMMAND [ARGUMENT...] 3>FILE")
		os.Exit(2)
	}
	syscall.CloseOnExec(3)
	command := exec.Command(os.Args[1], os.Args[2:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	started := time.Now()
	if err := command.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	command.Wait()
	u := used{WallS: time.Since(started).Seconds(), ExitCode: command.ProcessState.ExitCode()}
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		u.ExitCode = 128 + int(status.Signal())
	}
	usage := command.ProcessState.SysUsage().(*syscall.Rusage)
	u.UserS = float64(usage.Utime.Nano()) / 1e9
	u.SystemS = float64(usage.Stime.Nano()) / 1e9
	u.PeakRSSKB = usage.Maxrss
	if err := json.NewEncoder(os.NewFile(3, "figures")).Encode(u); err != nil {
		fmt.Fprintln(os.Stderr, "measure: descriptor 3:", err)
		os.Exit(1)
	}
}
