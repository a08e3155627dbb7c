/** Schedules: what runs by itself, and when. */

import { h } from "../../../lib/dom.js";
import { path } from "../api.js";
import { formDialog } from "../dialog.js";
import { ago, time } from "../format.js";
import { jobBadge } from "../job.js";
import { actionButton, loaded, toast } from "../states.js";
import { table } from "../table.js";

export const title = "Schedules";

const words = {
  cronHint: "Minute, hour, day of month, month, day of week, in UTC: 0 2 * * * is each day at two.",
  idle: "Nothing runs these schedules from within the database",
  idleText: "systemd’s timers, or whoever else has a clock, must: see the README.",
};

export function render(context) {
  const kinds = context.api.get(path`/admin/job-kinds`).then(({ data }) => data);
  kinds.catch(() => {});
  const list = context.api.get(path`/admin/schedules`);
  list.catch(() => {});
  context.actions.push(actionButton("New schedule", async () => edit(context, await kinds, null), { kind: "primary", id: "new-schedule" }));
  return loaded(() => list.then((answer) => answer, () => context.api.get(path`/admin/schedules`)), ({ data, pg_cron: cron }) => [
    cron === "ok" ? null : h("div", { class: "notice notice-warn" }, h("p", {}, `${words.idle}: ${cron}. ${words.idleText}`)),
    table({
      name: "Schedules", rows: data, order: { by: "Schedule", descending: false },
      columns: [
        { label: "Schedule", sort: (row) => row.name, show: (row) => h("span", {}, row.name, row.description ? h("span", { class: "cell-note" }, row.description) : null), csv: (row) => row.name },
        { label: "When (UTC)", show: (row) => h("code", {}, row.cron) },
        { label: "Job", show: (row) => h("a", { href: context.href("jobs", [], { name: row.job }) }, row.job) },
        { label: "Last run", sort: (row) => row.last_run_at, csv: (row) => row.last_run_at,
          show: (row) => row.last_job_id && h("a", { href: context.href("jobs", [row.last_job_id]) }, time(row.last_run_at, ago), " ", row.last_status ? jobBadge(row.last_status) : null) },
        { label: "On", csv: (row) => row.is_enabled, show: (row) => toggle(context, row) },
        { label: "Do", csv: false, show: (row) => h("span", { class: "cell-actions" },
          actionButton("Run now", async () => {
            const job = await context.api.post(path`/admin/schedules/${row.name}/run`);
            context.go(context.href("jobs", [job.job_id]));
          }, { kind: "small", "aria-label": `Run now: ${row.name}` }),
          actionButton("Change", async () => edit(context, await kinds, row), { kind: "small", "aria-label": `Change ${row.name}` })) },
      ],
    }),
  ], { busy: 8 });
}

function toggle(context, row) {
  const box = h("input", { type: "checkbox", role: "switch", class: "switch", "aria-label": `${row.name} is on`, onchange: async () => {
    box.disabled = true;
    try {
      await context.api.put(path`/admin/schedules/${row.name}`, { is_enabled: box.checked });
      toast(box.checked ? `${row.name} runs at its next time.` : `${row.name} runs no more until it is switched on.`);
    } catch (error) {
      box.checked = !box.checked;
      toast(`${row.name} stays as it is: ${error.message}.`, { kind: "error" });
    }
    box.disabled = false;
    box.focus();
  } });
  box.checked = row.is_enabled;
  return box;
}

function edit(context, kinds, row) {
  formDialog(context, {
    title: row ? `Change ${row.name}` : "New schedule", label: row ? "Save" : "Make it",
    fields: [
      ...(row ? [] : [{ name: "name", label: "Name", required: true, maxlength: 63, hint: "Small letters, digits and hyphens." }]),
      { name: "job", label: "Job", type: "select", options: kinds.map((kind) => ({ value: kind.name, label: kind.name })), value: row?.job },
      { name: "cron", label: "When", required: true, value: row?.cron ?? "0 3 * * *", hint: words.cronHint, spellcheck: "false" },
      { name: "arguments", label: "Arguments of the job", type: "json", value: row?.arguments ?? {} },
      { name: "description", label: "What it is for", value: row?.description },
      { name: "is_enabled", label: "It is on", type: "checkbox", value: row?.is_enabled ?? true },
    ],
    async submit({ name, ...values }) {
      await context.api.put(path`/admin/schedules/${row?.name ?? name}`, values);
    },
    done() {
      toast("Saved.");
      context.refresh();
    },
  });
}
