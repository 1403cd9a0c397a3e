// A collector of OpenTelemetry for tests: its own receiver of OTLP and its own debug exporter, with nothing between
// them. The whole program, with its pipelines, its configuration and its own telemetry, takes twice as long to build.
//
// Usage: collector CONFIG. CONFIG is JSON, {"otlp": ..., "debug": ...}, each as the collector's documentation has it.
// It ends when its standard input does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

type part interface {
	CreateDefaultConfig() component.Config
}

func configured(factory part, given map[string]any) (component.Config, error) {
	config := factory.CreateDefaultConfig()
	return config, confmap.NewFromStringMap(given).Unmarshal(config)
}

func run(text string) error {
	var given map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return err
	}
	from, to := otlpreceiver.NewFactory(), debugexporter.NewFactory()
	fromConfig, err := configured(from, given["otlp"])
	if err != nil {
		return err
	}
	toConfig, err := configured(to, given["debug"])
	if err != nil {
		return err
	}
	ctx, host := context.Background(), componenttest.NewNopHost()
	toSettings := exporter.Settings{
		ID: component.NewID(to.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	fromSettings := receiver.Settings{
		ID: component.NewID(from.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	toTraces, err := to.CreateTraces(ctx, toSettings, toConfig)
	if err != nil {
		return err
	}
	toMetrics, err := to.CreateMetrics(ctx, toSettings, toConfig)
	if err != nil {
		return err
	}
	fromTraces, err := from.CreateTraces(ctx, fromSettings, fromConfig, toTraces)
	if err != nil {
		return err
	}
	fromMetrics, err := from.CreateMetrics(ctx, fromSettings, fromConfig, toMetrics)
	if err != nil {
		return err
	}
	parts := []component.Component{toTraces, toMetrics, fromTraces, fromMetrics}
	for _, one := range parts {
		if err := one.Start(ctx, host); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	for i := len(parts) - 1; i >= 0; i-- {
		_ = parts[i].Shutdown(ctx)
	}
	return err
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: collector CONFIG")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
