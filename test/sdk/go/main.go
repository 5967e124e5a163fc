// The official Go SDKs as judges: data in and out, and every API of the emulator.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
)

func ok(name string, condition bool, why ...interface{}) {
	if condition {
		fmt.Println("ok " + name)
		return
	}
	fmt.Println(strings.ReplaceAll(fmt.Sprintf("not ok %s: %.900s", name, fmt.Sprint(why...)), "\n", " "))
}

func equal(name string, got, want interface{}) {
	g, w := fmt.Sprint(got), fmt.Sprint(want)
	ok(name, g == w, "got "+g+", want "+w)
}

// The values with a blank between each two
func words(x ...interface{}) string { return strings.TrimSuffix(fmt.Sprintln(x...), "\n") }

// The error must hold one of the codes, separated by |.
func refused(name, codes string, err error) {
	if err == nil {
		ok(name, false, "was not refused")
		return
	}
	for _, code := range strings.Split(codes, "|") {
		if strings.Contains(err.Error(), code) {
			ok(name, true)
			return
		}
	}
	ok(name, false, err, ", want ", codes)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func get[X any](x X, err error) X {
	must(err)
	return x
}

// One group of checks: a panic is one failed check, not the end of the program.
func section(name string, f func()) {
	defer func() {
		if e := recover(); e != nil {
			ok(name, false, e)
			fmt.Fprintf(os.Stderr, "%v\n%s", e, debug.Stack())
		}
	}()
	f()
}

// A control command of the emulator
func command(json string) {
	client := &http.Client{Transport: &http.Transport{Proxy: nil}}
	answer := get(client.Post("http://127.0.0.1:"+os.Getenv("MC_LOGHUB_PORT")+"/__mc/command", "application/json", bytes.NewBufferString(json)))
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		panic(json + ": " + answer.Status)
	}
}

func main() {
	// the documented way to reach an emulator of Log Service; MaxCompute is reached directly
	os.Setenv("http_proxy", "http://127.0.0.1:"+os.Getenv("MC_LOGHUB_PORT"))
	os.Setenv("no_proxy", "127.0.0.1")
	switch strings.Join(os.Args[1:min(len(os.Args), 3)], " ") {
	case "emulator-loghub":
		emulatorLogHub()
	case "emulator-tablestore":
		emulatorTablestore()
	case "tablestore write":
		otsWrite(os.Args[3], os.Args[4], len(os.Args) > 5)
	case "tablestore read":
		otsRead(os.Args[3], os.Args[4], otsVersions())
	case "tablestore get":
		otsGet(os.Args[3], os.Args[4], otsVersions())
	case "tablestore batch":
		otsGetBatch(os.Args[3], os.Args[4], otsVersions())
	case "tablestore stream":
		otsStream(os.Args[3], os.Args[4])
	case "emulator-odps":
		emulatorOdps()
	case "loghub put":
		put(os.Args[3], os.Args[4])
	case "loghub pull":
		pull(os.Args[3], os.Args[4])
	case "odps write":
		write(os.Args[3], os.Args[4], os.Args[5])
	case "odps read":
		read(os.Args[3], os.Args[4], os.Args[5])
	case "emulator-oss":
		emulatorOss()
	case "emulator-oss-v2":
		emulatorOss2()
	case "oss-v2 write", "oss-v2 read", "oss-v2 uploads":
		ossData(goOss2Bucket("V4", os.Args[3]), os.Args[2], os.Args[4:])
	case "oss write", "oss read", "oss uploads":
		ossData(goOssBucket("V4", os.Args[3]), os.Args[2], os.Args[4:])
	default:
		panic("unknown command")
	}
}
