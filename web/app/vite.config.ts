// Vite configuration of web/app.
import { defineConfig } from 'vite';
import { frontEnd } from '../vite.base.ts';

export default defineConfig(frontEnd(import.meta.dirname, Number(process.env.WEB_PORT ?? 3100)));
