// Lets node read TypeScript: from version 22.18 on it does so itself, before, with the help of tsx.

import process from "node:process";

if (!process.features.typescript) await import("tsx");
