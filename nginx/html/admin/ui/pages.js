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
  { label: "Running it", pages: [
    { name: "settings", label: "Settings" },
  ] },
];

export const FIRST = "overview";

export function pageOf(name) {
  return GROUPS.flatMap((group) => group.pages).find((page) => page.name === name) ?? null;
}
