//! Servers of several processes.
//!
//! A forking process must have one thread, so that this has a harness of its own: each case
//! runs in a process of its own, and its servers in further ones. `harness` is what runs cases,
//! `case` what they are written with.
//!
//! To add a case, write a function that takes a [`Case`](case::Case) and give it a row in
//! [`CASES`].

mod bind;
mod case;
#[path = "../support/exposition.rs"]
mod exposition;
mod guard;
mod harness;
#[path = "../support/http.rs"]
mod http;
mod presence;
#[path = "../support/program.rs"]
mod program;
mod server;
mod shared;
mod signals;
mod systemd;
mod upgrade;
mod workers;

use std::process::ExitCode;

/// Every case, by module and name.
const CASES: &[harness::Row] = harness::rows![
    bind::a_port_of_the_systems_choice_is_the_same_in_both_families,
    bind::a_taken_port_is_named,
    bind::a_worker_may_bind_for_itself,
    bind::an_address_of_one_worker_gets_no_connection_elsewhere,
    bind::connections_are_spread_over_the_workers,
    bind::connections_queued_on_a_killed_worker_are_answered,
    bind::workers_share_a_unix_socket,
    guard::a_handler_of_a_signal_is_named,
    guard::a_joined_thread_is_no_obstacle,
    guard::a_loop_is_named_by_where_it_was_made,
    guard::a_second_thread_is_named,
    guard::a_worker_does_not_fork_again,
    presence::a_pid_file_out_of_reach_is_emptied,
    presence::a_pinned_worker_has_one_processor,
    presence::each_process_is_called_what_it_is,
    presence::rights_are_given_up_before_the_fork,
    presence::rights_that_cannot_be_given_up_keep_the_server_from_starting,
    presence::the_name_can_be_left_alone,
    presence::the_name_is_a_setting,
    presence::the_pid_file_is_there_while_the_server_is,
    server::balance::kept_connections_are_spread_evenly,
    server::balance::who_has_more_takes_what_nobody_else_does,
    server::controlled::the_control_socket_is_answered_whoever_died_and_while_the_server_drains,
    server::controlled::workers_that_were_forked_by_hand_answer_on_the_control_socket,
    server::counted::all_workers_tell_the_sum_of_what_clients_have_asked_for,
    server::counted::the_log_names_a_request_whose_worker_was_killed_from_outside,
    server::counted::the_log_says_what_a_worker_was_serving_when_it_died,
    server::counted::the_supervisor_tells_the_same_as_its_workers,
    server::counted::what_a_worker_had_is_gone_with_it,
    server::counted::what_a_worker_was_killed_in_is_counted_as_lost,
    server::counted::what_was_counted_is_told_when_the_last_worker_has_ended,
    server::drain::a_hook_of_one_process_runs_and_is_waited_for,
    server::drain::a_hook_runs_in_each_process_when_its_end_begins,
    server::drain::a_hook_that_takes_too_long_is_named_by_its_line,
    server::drain::one_process_serves_on_while_load_balancers_hear_of_the_end,
    server::drain::the_end_begins_after_the_delay,
    server::drain::workers_serve_on_while_load_balancers_hear_of_the_end,
    server::drain::a_handler_that_outlives_its_client_is_cut_as_well,
    server::last::a_handler_that_goes_on_is_waited_for,
    server::last::a_response_that_has_begun_is_completed,
    server::last::another_protocol_is_waited_for,
    server::last::of_a_pipeline_what_was_begun_is_answered,
    server::last::over_a_unix_socket_it_is_the_same,
    server::last::what_is_cut_does_not_look_whole,
    server::last::who_asks_once_more_is_answered,
    server::last::who_is_sending_a_body_is_answered,
    server::load::a_killed_worker_loses_only_what_it_was_serving,
    server::load::each_worker_serves_a_share_of_the_connections,
    server::load::nobody_serves_after_the_supervisor_was_killed,
    server::start::a_core_that_may_not_be_used_gets_no_worker,
    server::start::a_loop_is_refused_by_its_line,
    server::start::a_panic_costs_the_worker_nothing_but_the_request,
    server::start::a_port_that_is_served_is_refused_by_its_number,
    server::start::a_thread_is_refused_by_its_name,
    server::start::a_worker_that_aborts_is_replaced,
    server::start::an_application_listens_by_itself,
    server::start::as_many_workers_as_asked_for,
    server::start::as_many_workers_as_cores,
    server::start::each_worker_builds_its_application,
    server::start::one_process_does_not_fork,
    server::start::what_precedes_start_runs_once_and_what_follows_in_each_worker,
    server::stop::a_long_response_hears_of_the_end,
    server::stop::a_second_order_cuts_what_one_process_serves,
    server::stop::an_idle_connection_is_closed_after_a_while,
    server::stop::an_order_that_comes_twice_at_once_is_one,
    server::stop::each_server_of_a_process_has_a_limit_of_its_own,
    server::stop::one_process_answers_what_waits_to_be_accepted,
    server::stop::one_process_cuts_what_takes_too_long,
    server::stop::one_process_finishes_at_ctrl_c,
    server::stop::one_process_finishes_at_sigint,
    server::stop::one_process_finishes_at_sigterm,
    server::stop::one_process_without_connections_cuts_none,
    server::stop::what_never_ends_is_named_by_its_line,
    server::stop::what_runs_beside_requests_is_waited_for_if_asked_for,
    server::stop::what_waits_is_answered_however_long_that_takes,
    server::stop::workers_answer_what_waits_to_be_accepted,
    server::stop::workers_cut_what_takes_too_long,
    server::stop::workers_finish_at_ctrl_c,
    server::stop::workers_finish_at_sigint,
    server::stop::workers_finish_at_sigterm,
    server::stop::workers_without_connections_cut_none,
    server::supervised::a_handler_that_hangs_is_named_and_its_worker_replaced,
    server::supervised::a_reload_fails_no_request,
    server::supervised::a_suspended_worker_s_clients_are_served_by_another,
    server::supervised::a_worker_that_has_served_enough_is_replaced,
    server::supervised::a_worker_that_leaves_by_itself_leaves_nobody_behind,
    server::supervised::failing_replacements_leave_the_workers_that_are_there,
    server::supervised::fewer_and_more_workers_fail_no_request,
    server::supervised::one_worker_stays,
    server::supervised::what_waits_for_a_dead_worker_is_answered_by_another,
    server::upgraded::an_upgrade_fails_no_request,
    server::upgraded::one_process_takes_over_from_several,
    server::upgraded::queues_of_more_workers_than_there_are_now_are_served,
    shared::a_random_stream,
    shared::a_signal_pipe,
    shared::an_epoll_instance,
    signals::a_second_order_to_stop_kills,
    signals::a_suspended_worker_is_stopped_as_well,
    signals::a_worker_that_does_not_stop_is_killed_in_the_end,
    signals::an_order_while_workers_are_being_forked_reaches_all,
    signals::ctrl_c_reaches_a_worker_once,
    signals::quit_kills_at_once,
    signals::the_death_of_the_supervisor_ends_all_workers,
    signals::workers_that_die_while_stopping_are_not_replaced,
    signals::workers_without_a_handler_end_on_term,
    systemd::a_socket_of_the_address_is_taken,
    systemd::one_process_tells_the_manager_as_well,
    systemd::signs_of_life_are_given_in_time,
    systemd::sockets_can_be_asked_for_by_name,
    systemd::the_manager_is_told_what_the_server_does,
    systemd::what_is_meant_for_another_process_is_left_alone,
    systemd::what_is_no_socket_for_connections_is_not_used,
    systemd::what_was_handed_over_is_taken_once_whatever_comes_of_it,
    systemd::who_comes_over_ipv4_to_a_socket_of_both_versions_is_known_so,
    upgrade::a_new_program_that_fails_changes_nothing,
    upgrade::a_new_program_that_takes_too_long_is_given_up,
    upgrade::a_new_program_whose_workers_end_at_once_changes_nothing,
    upgrade::a_new_program_whose_workers_fail_changes_nothing,
    upgrade::a_second_upgrade_at_once_is_refused,
    upgrade::a_thread_in_the_supervisor_is_shed,
    upgrade::a_unix_socket_stays_where_it_is,
    upgrade::other_addresses_are_bound_and_closed,
    upgrade::the_first_process_of_a_container_executes_what_was_tried,
    upgrade::the_new_program_takes_over,
    upgrade::the_pid_file_is_that_of_who_serves,
    upgrade::what_the_new_program_does_not_bind_is_closed,
    workers::a_hook_runs_when_a_worker_has_ended,
    workers::a_killed_worker_is_replaced_at_once,
    workers::a_worker_has_the_signals_it_should_have,
    workers::a_worker_that_exits_with_0_is_not_replaced,
    workers::a_worker_that_fails_is_replaced,
    workers::a_worker_that_is_never_ready_is_killed,
    workers::a_worker_with_too_much_memory_is_replaced,
    workers::a_worker_that_ends_before_the_one_it_has_replaced_leaves_its_slot_free,
    workers::all_workers_done_end_the_server,
    workers::too_many_failed_starts_end_the_server,
    workers::too_many_restarts_end_the_server,
    workers::who_dies_early_again_and_again_waits_longer_and_longer,
    workers::workers_are_numbered_from_0,
    workers::workers_share_no_poller,
];

fn main() -> ExitCode {
    harness::main(CASES)
}
