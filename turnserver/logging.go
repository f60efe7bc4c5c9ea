package turnserver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logFactory gives pion/turn a logger. What pion calls informative concerns single packets, so it
// goes to the debug level.
type logFactory struct{ to *slog.Logger }

// NewLogger makes the logger of one of pion's scopes.
func (f logFactory) NewLogger(scope string) logging.LeveledLogger {
	return logger{f.to.With("scope", scope)}
}

type logger struct{ to *slog.Logger }

// printf formats only what somebody reads.
func (l logger) printf(level slog.Level, format string, args ...any) {
	if l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

func (l logger) print(level slog.Level, msg string) {
	l.to.Log(context.Background(), level, msg)
}

// Pion's trace level lies below everything slog shows by default.
const levelTrace = slog.LevelDebug - 4

func (l logger) Trace(msg string)                  { l.print(levelTrace, msg) }
func (l logger) Tracef(format string, args ...any) { l.printf(levelTrace, format, args...) }
func (l logger) Debug(msg string)                  { l.print(slog.LevelDebug, msg) }
func (l logger) Debugf(format string, args ...any) { l.printf(slog.LevelDebug, format, args...) }
func (l logger) Info(msg string)                   { l.print(slog.LevelDebug, msg) }
func (l logger) Infof(format string, args ...any)  { l.printf(slog.LevelDebug, format, args...) }
func (l logger) Warn(msg string)                   { l.print(slog.LevelWarn, msg) }
func (l logger) Warnf(format string, args ...any)  { l.printf(slog.LevelWarn, format, args...) }
func (l logger) Error(msg string)                  { l.print(slog.LevelError, msg) }
func (l logger) Errorf(format string, args ...any) { l.printf(slog.LevelError, format, args...) }
