/** The pages of the dashboard: what is in the navigation, in this order, by group. `name` is the module in pages/. */

export const GROUPS = [
  { label: "How it goes", pages: [
    { name: "overview", label: "Overview" },
    { name: "worth", label: "What the loop is worth" },
    { name: "answers", label: "Answers" },
  ] },
  { label: "Who it is for", pages: [
    { name: "people", label: "People" },
    { name: "coaches", label: "Coaches" },
    { name: "privacy", label: "Privacy" },
  ] },
  { label: "Learning", pages: [
    { name: "datasets", label: "Datasets" },
    { name: "training", label: "Fine-tuning" },
    { name: "versions", label: "Model versions" },
  ] },
  { label: "Trying", pages: [
    { name: "experiments", label: "Experiments" },
    { name: "rollouts", label: "Rollouts" },
    { name: "playbooks", label: "Playbooks" },
    { name: "autopilot", label: "Autopilot" },
    { name: "predictions", label: "Predictions" },
  ] },
  { label: "What coaches know", pages: [
    { name: "knowledge", label: "Knowledge" },
    { name: "memories", label: "Memories policy" },
  ] },
  { label: "Running it", pages: [
    { name: "jobs", label: "Jobs" },
    { name: "schedules", label: "Schedules" },
    { name: "errors", label: "Errors" },
    { name: "routes", label: "Providers and routes" },
    { name: "money", label: "Prices and budgets" },
    { name: "limits", label: "Rate limits" },
    { name: "keys", label: "API keys" },
    { name: "settings", label: "Settings" },
  ] },
];

export const FIRST = "overview";

export function pageOf(name) {
  return GROUPS.flatMap((group) => group.pages).find((page) => page.name === name) ?? null;
}
