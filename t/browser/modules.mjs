// The page's modules that need no browser: run by modules.py.
import "./client.mjs";
import "./markdown.mjs";
import "./provider_rules.mjs";
