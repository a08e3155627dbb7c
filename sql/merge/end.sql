-- Nothing of the run stays behind.
set local client_min_messages = error;
drop schema uplift_install, uplift_want_public, uplift_want_uplift cascade;
