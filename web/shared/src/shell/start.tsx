// Starts a front end: settings, language, session, then the first render.
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, type AnyRouter } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { makeQueryClient } from '../api/query';
import { loadConfig } from '../config/config';
import { startI18n } from '../i18n/i18n';
import { session, type Application } from '../session/session';
import '../theme/theme'; // follows the system's colours and the other tabs' choice
import { ConfirmHost } from '../ui/confirm';
import { ToastHost } from '../ui/toast';

interface FrontEnd {
  router: AnyRouter;
  /** Its name before the API, and that of its own texts: see startI18n. */
  application: Application;
  english: object;
  others: Parameters<typeof startI18n>[2];
}

export async function startFrontEnd({ router, application, english, others }: FrontEnd): Promise<void> {
  const root = document.getElementById('root');
  if (!root) throw new Error('index.html has no #root');
  await Promise.all([loadConfig(), startI18n(application, english, others)]);
  session.application = application;
  void session.start();
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={makeQueryClient()}>
        <RouterProvider router={router} />
        <ConfirmHost />
        <ToastHost />
      </QueryClientProvider>
    </StrictMode>,
  );
}
