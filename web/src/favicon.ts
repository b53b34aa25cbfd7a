import type { Verdict } from "./verdict.ts";

/** The shapes of the marks, in colours that stand out in light and dark tabs. */
const DRAWN: Readonly<Record<Verdict["mood"], string>> = {
  ok: '<circle cx="8" cy="8" r="7" fill="#1f9d5b"/><path d="M4.8 8.2l2.3 2.3L11.4 6" fill="none" stroke="#fff" stroke-width="1.8"/>',
  busy: '<circle cx="8" cy="8" r="6" fill="none" stroke="#2f7fd1" stroke-width="2"/><path d="M8 4a4 4 0 0 1 0 8z" fill="#2f7fd1"/>',
  starting: '<circle cx="8" cy="8" r="6" fill="none" stroke="#888" stroke-width="2" stroke-dasharray="2 2"/>',
  warn: '<path d="M8 1l7.5 13.5H.5z" fill="#e0a000"/><path d="M8 6v4M8 11.5v1.5" stroke="#000" stroke-width="1.8"/>',
  bad: '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" fill="#d3302f"/><path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" stroke="#fff" stroke-width="1.8"/>',
};
const GONE = '<circle cx="8" cy="8" r="6" fill="none" stroke="#888" stroke-width="2"/>';

/** What can be seen of the page while another one is looked at. */
export function showInTab(title: string, mood: Verdict["mood"] | undefined): void {
  document.title = title;
  const drawn = mood ? DRAWN[mood] : GONE;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${drawn}</svg>`;
  document.querySelector<HTMLLinkElement>('link[rel="icon"]')!.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
