package reports

import (
	"fmt"
	"strings"
)

// Limits of report.md: it has to fit a CI step summary.
const (
	maxMarkdown     = 1000 << 10
	maxMarkdownRows = 60
	maxMarkdownPre  = 64 << 10
)

// markdown writes report.md.
func markdown(d *Document, plots []Plot) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %s\n\n", escapeMarkdown(d.Name), escapeMarkdown(d.Verdict.Word))
	fmt.Fprintf(&b, "**%s**, exit code %d%s\n\n", escapeMarkdown(strings.ToUpper(d.Verdict.Word)), d.Verdict.ExitCode, after(", ", d.Speed))
	for _, r := range d.Verdict.Reasons {
		fmt.Fprintf(&b, "- %s\n", escapeMarkdown(shorten(r, 2000)))
	}
	b.WriteString("\n")
	if d.Description != "" {
		fmt.Fprintf(&b, "%s\n\n", escapeMarkdown(shorten(d.Description, 4000)))
	}
	var facts []string
	for _, f := range d.Facts {
		facts = append(facts, escapeMarkdown(f.Label+" "+f.Text))
	}
	fmt.Fprintf(&b, "%s\n", strings.Join(facts, " · "))
	if d.TraceHash != "" {
		fmt.Fprintf(&b, "\nPacket trace: `%s`\n", strings.ReplaceAll(d.TraceHash, "`", "'"))
	}
	left := 0
	for _, s := range d.Sections {
		text := markdownSection(s, plots)
		if b.Len()+len(text) > maxMarkdown {
			left++
			continue
		}
		b.WriteString(text)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%s left out to keep this file small; report.html has everything.\n", count(left, "part"))
	}
	return []byte(b.String())
}

func markdownSection(s Section, plots []Plot) string {
	own := plotsOf(s, plots)
	if s.empty() && len(own) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n", escapeMarkdown(s.Title))
	for _, t := range s.Text {
		fmt.Fprintf(&b, "%s\n\n", escapeMarkdown(t))
	}
	if s.Table != nil {
		markdownTable(&b, s.Table)
	}
	for _, p := range own {
		fmt.Fprintf(&b, "- `plots/%s.svg`: %s. %s\n", p.Name, escapeMarkdown(p.Title), escapeMarkdown(p.Alt))
	}
	if s.Pre != "" {
		markdownPre(&b, s.Pre)
	}
	return b.String()
}

func markdownTable(b *strings.Builder, t *Table) {
	for _, c := range t.Columns {
		b.WriteString("| " + escapeMarkdown(c.Title) + " ")
	}
	b.WriteString("|\n")
	for _, c := range t.Columns {
		if c.Number {
			b.WriteString("|--:")
		} else {
			b.WriteString("|:--")
		}
	}
	b.WriteString("|\n")
	for _, r := range t.Rows[:min(len(t.Rows), maxMarkdownRows)] {
		for _, f := range r {
			text := escapeMarkdown(shorten(f.Text, 400))
			if f.State == Bad && text != "" {
				text = "**" + text + "**"
			}
			b.WriteString("| " + text + " ")
		}
		b.WriteString("|\n")
	}
	if more := t.More + max(len(t.Rows)-maxMarkdownRows, 0); more > 0 {
		fmt.Fprintf(b, "\n%s in run.json.\n", count(more, "more row"))
	}
	b.WriteString("\n")
}

// markdownPre fences a text with more backquotes than it holds.
func markdownPre(b *strings.Builder, text string) {
	if len(text) > maxMarkdownPre {
		text = strings.ToValidUTF8(text[:maxMarkdownPre], "") + "\n… (the rest is in run.json)"
	}
	longest, run := 2, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	fmt.Fprintf(b, "%s yaml\n%s\n%s\n", fence, strings.TrimRight(text, "\n"), fence)
}

// escapeMarkdown makes text stand for itself: no markup, no HTML, no links, no table edges.
func escapeMarkdown(s string) string {
	return strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "\\|", "\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_",
		"[", "\\[", "]", "\\]", "#", "\\#", "~", "\\~", "@", "&#64;", "\n", " ", "://", "&#58;//", "www.", "www&#46;",
	).Replace(s)
}
