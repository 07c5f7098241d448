// Vite configuration of web/app.
import { defineConfig } from 'vite';
import { frontEnd } from '../vite.base.ts';
import { serviceWorker } from './serviceWorker.ts';

const base = frontEnd(import.meta.dirname, Number(process.env.WEB_PORT ?? 3100));

export default defineConfig({
  ...base,
  plugins: [base.plugins, serviceWorker()],
  // tools/first-load.mjs reads which chunks a page loads first.
  build: { ...base.build, manifest: true },
});
