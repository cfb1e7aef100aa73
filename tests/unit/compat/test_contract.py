# SPDX-License-Identifier: ISC
"""Every name of the old API is there, and can be called as scripts call it.

The table is the checklist: `import skytools` and `import pgq` of Skytools 3 by subject, with
the names of the parameters.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import pgq
import skytools
from skytools.compat import oldnames

# name -> parameters; "=" marks one that may be left out
FUNCTIONS = """
quote_literal s
quote_copy s
quote_ident s
quote_fqident s
quote_bytea_raw s
quote_bytea_literal s
quote_bytea_copy s
quote_json s
quote_statement sql dict_or_list
unquote_literal val stdstr=
unquote_ident val
unquote_fqident val
unescape val
unescape_copy val
db_urlencode dict_val
db_urldecode qs
json_encode val= **kwargs
json_decode s
make_pgarray lst
parse_pgarray array
parse_logtriga_sql op sql splitkeys=
parse_sqltriga_sql op sql pklist= splitkeys=
sql_tokenizer sql standard_quoting= ignore_whitespace= fqident= show_location=
parse_statements sql standard_quoting=
parse_acl acl
parse_tabbed_table txt
parse_connect_string cstr
merge_connect_string cstr_arg_list
dedent doc
hsize_to_bytes input_str
magic_insert curs tablename data fields= use_insert= quoted_table=
full_copy tablename src_curs dst_curs column_list= condition= dst_tablename= dst_column_list= \
write_hook= flush_hook=
CopyPipe dstcurs tablename= limit= sql_from=
mk_insert_sql row tbl pkey_list= field_map=
mk_update_sql row tbl pkey_list field_map=
mk_delete_sql row tbl pkey_list field_map=
fq_name tbl
fq_name_parts tbl
get_table_oid curs table_name
get_table_pkeys curs tbl
get_table_columns curs tbl
exists_schema curs schema
exists_table curs table_name
exists_view curs view_name
exists_type curs type_name
exists_sequence curs seq_name
exists_temp_table curs tbl
exists_function curs function_name nargs
exists_language curs lang_name
Snapshot str_val
Snapshot.contains txid
DBObject name sql= sql_file=
DBSchema name sql= sql_file=
DBTable name sql= sql_file=
DBFunction name nargs sql= sql_file=
DBLanguage name
db_install curs obj_list log=
installer_find_file filename
installer_apply_file db filename log
dbdict.merge other
QueryBuilder sqlexpr params
QueryBuilder.add expr type= required=
QueryBuilder.execute curs
PLPyQueryBuilder sqlexpr params plan_cache= sqls=
PLPyQuery sql
PLPyQuery.execute arg_dict all_keys_required=
plpy_exec gd sql args all_keys_required=
run_query cur sql params= **kwargs
run_query_row cur sql params= **kwargs
run_lookup cur sql params= **kwargs
run_exists cur sql params= **kwargs
natsort lst
natsort_icase lst
natsorted lst
natsorted_icase lst
natsort_key s
natsort_key_icase s
parse_iso_timestamp s default_tz=
datetime_to_timestamp dt local_time=
FixedOffsetTimezone offset
hashtext_old v
hashtext_new v
write_atomic fn data bakext= mode=
signal_pidfile pidfile sig
gzip_append filename data level=
safe_utf8_decode s
set_tcp_keepalive fd keepalive= tcp_keepidle= tcp_keepcnt= tcp_keepintvl=
set_nonblocking fd onoff=
set_cloexec fd onoff=
getLogger name= **kwargs_extra
connect_database connstr
daemonize
Config main_section filename sane_config= user_defs= override= ignore_defs=
Config.get key default=
Config.getint key default=
Config.getfloat key default=
Config.getboolean key default=
Config.getbool key default=
Config.getlist key default=
Config.getdict key default=
Config.getfile key default=
Config.getbytes key default=
Config.get_wildcard key values= default=
Config.sections
Config.has_section section
Config.clone main_section
Config.options
Config.has_option opt
Config.items
Config.reload
BaseScript service_name args
BaseScript.start
BaseScript.run
BaseScript.run_once
BaseScript.run_func_safely func prefer_looping=
BaseScript.work
BaseScript.startup
BaseScript.shutdown
BaseScript.reload
BaseScript.reset
BaseScript.init_optparse parser=
BaseScript.init_argparse parser=
BaseScript.load_config
BaseScript.sleep secs
BaseScript.sleep_on_exception
BaseScript.exception_hook det emsg
BaseScript.set_single_loop do_single_loop
BaseScript.stop
BaseScript.stat_put key value
BaseScript.stat_add key value
BaseScript.stat_increase key increase=
BaseScript.stat_inc key increase=
BaseScript.stat_get key
BaseScript.send_stats
BaseScript.send_signal sig
BaseScript.hook_sighup sig frame
BaseScript.hook_sigint sig frame
BaseScript.print_ini
BaseScript.print_version
DBScript.get_database dbname autocommit= isolation_level= cache= connstr= profile=
DBScript.close_database dbname
DBScript.set_database_defaults dbname **kwargs
DBScript.add_connect_string_profile connstr profile
DBScript.connection_hook dbname conn
DBScript.listen dbname channel
DBScript.unlisten dbname channel=
DBScript.exec_cmd db_or_curs q args commit= quiet= prefix=
DBScript.exec_cmd_many db_or_curs sql baseargs extra_list commit= quiet= prefix=
DBScript.execute_with_retry dbname stmt args exceptions=
AdminScript service_name args
AdminScript.fetch_list db sql args keycol=
AdminScript.display_table db desc sql args= fields= fieldfmt=
AdminScript.exec_stmt db sql args
AdminScript.exec_query db sql args
pgq.Event queue_name row
pgq.Event.tag_done
pgq.Event.get k d=
pgq.Event.has_key k
pgq.Event.keys
pgq.Event.values
pgq.Event.items
pgq.insert_event curs queue ev_type ev_data extra1= extra2= extra3= extra4=
pgq.bulk_insert_events curs rows fields queue_name
pgq.PGQStatus args check=
pgq.Consumer service_name db_name args
pgq.Consumer.process_event db ev
pgq.Consumer.process_batch db batch_id ev_list
pgq.Consumer.register_consumer
pgq.Consumer.unregister_consumer
pgq.CoopConsumer service_name db_name args
pgq.LocalConsumer service_name db_name args
pgq.LocalConsumer.process_local_batch db batch_id ev_list
pgq.LocalConsumer.process_local_event db batch_id ev
pgq.LocalConsumer.check_queue
pgq.LocalConsumer.load_local_tick
pgq.LocalConsumer.save_local_tick tick_id
pgq.LocalConsumer.is_batch_done
pgq.LocalConsumer.set_batch_done
pgq.LocalConsumer.rewind
pgq.LocalConsumer.dst_reset
pgq.RemoteConsumer service_name db_name remote_db args
pgq.RemoteConsumer.process_remote_batch db batch_id ev_list dst_db
pgq.RemoteConsumer.is_last_batch dst_curs batch_id
pgq.RemoteConsumer.set_last_batch dst_curs batch_id
pgq.SerialConsumer service_name db_name remote_db args
pgq.SerialConsumer.process_remote_batch db batch_id ev_list dst_db
pgq.SerialConsumer.is_batch_done dst_curs
pgq.SerialConsumer.set_batch_done dst_curs
pgq.SerialConsumer.get_last_tick dst_curs
pgq.SerialConsumer.set_last_tick dst_curs tick_id
pgq.SerialConsumer.rewind
pgq.SerialConsumer.dst_reset
pgq.CascadedConsumer service_name db_name args
pgq.CascadedConsumer.process_remote_batch src_db tick_id ev_list dst_db
pgq.CascadedConsumer.process_remote_event src_curs dst_curs ev
pgq.CascadedConsumer.finish_remote_batch src_db dst_db tick_id
pgq.CascadedConsumer.process_root_node dst_db
pgq.CascadedConsumer.is_batch_done state batch_info dst_db
pgq.CascadedConsumer.get_consumer_state
pgq.CascadedConsumer.get_provider_db state
pgq.CascadedConsumer.refresh_state dst_db full_logic=
pgq.CascadedConsumer.register_consumer provider_loc=
pgq.CascadedConsumer.rewind
pgq.CascadedConsumer.dst_reset
pgq.CascadedWorker service_name db_name args
pgq.CascadedWorker.process_remote_batch src_db tick_id ev_list dst_db
pgq.CascadedWorker.copy_event dst_curs ev filtered_copy
pgq.CascadedWorker.flush_events dst_curs
pgq.CascadedWorker.create_branch_tick dst_db tick_id tick_time
pgq.CascadedWorker.publish_local_wm src_db dst_db
pgq.CascadeAdmin svc_name dbname args worker_setup=
pgq.CascadeAdmin.start
pgq.CascadeAdmin.cmd_install
pgq.CascadeAdmin.cmd_create_root
pgq.CascadeAdmin.cmd_create_branch
pgq.CascadeAdmin.cmd_create_leaf
pgq.CascadeAdmin.cmd_drop_node node_name
pgq.CascadeAdmin.cmd_rename_node old_name new_name
pgq.CascadeAdmin.cmd_tag_dead dead_node_name
pgq.CascadeAdmin.cmd_status
pgq.CascadeAdmin.cmd_node_status
pgq.CascadeAdmin.cmd_node_info
pgq.CascadeAdmin.cmd_members
pgq.CascadeAdmin.cmd_pause
pgq.CascadeAdmin.cmd_resume
pgq.CascadeAdmin.cmd_change_provider
pgq.CascadeAdmin.cmd_takeover old_node_name
pgq.CascadeAdmin.cmd_resurrect
pgq.CascadeAdmin.cmd_wait_root
pgq.CascadeAdmin.cmd_wait_provider
pgq.CascadeAdmin.pause_node node
pgq.CascadeAdmin.resume_node node
pgq.CascadeAdmin.pause_consumer node consumer
pgq.CascadeAdmin.resume_consumer node consumer
pgq.CascadeAdmin.change_provider node= consumer= new_provider=
pgq.CascadeAdmin.node_change_provider node new_provider
pgq.CascadeAdmin.load_local_info
pgq.CascadeAdmin.load_queue_info db
pgq.CascadeAdmin.find_root_node
pgq.CascadeAdmin.find_root_db initial_loc=
pgq.CascadeAdmin.find_provider node_name
pgq.CascadeAdmin.find_consumer node= consumer=
pgq.CascadeAdmin.find_subscribers_for parent_node_name
pgq.CascadeAdmin.node_alive node_name
pgq.CascadeAdmin.node_depends sub_node top_node
pgq.CascadeAdmin.node_cmd node_name sql args quiet=
pgq.CascadeAdmin.load_node_info node_name
pgq.CascadeAdmin.get_node_info node_name
pgq.CascadeAdmin.get_node_info_opt node_name
pgq.CascadeAdmin.get_node_database node_name
pgq.CascadeAdmin.close_node_database node_name
pgq.CascadeAdmin.get_node_subscriber_list node_name
pgq.CascadeAdmin.get_node_consumer_map node_name
pgq.MemberInfo row
pgq.NodeInfo queue_name row main_worker= node_name= location=
pgq.QueueInfo queue_name info_row member_rows
pgq.QueueInfo.get_member name
pgq.QueueInfo.get_node name
pgq.QueueInfo.add_node node
pgq.QueueInfo.tag_dead node_name
pgq.QueueInfo.print_tree
pgq.QueueInfo.print_tree_compact
"""

VALUES = """DBError I_AUTOCOMMIT I_READ_COMMITTED I_REPEATABLE_READ I_SERIALIZABLE UsageError
dbdict pgq.EventList pgq.BatchInfo"""

BASES = {
    pgq.Consumer: skytools.DBScript,
    pgq.CoopConsumer: pgq.Consumer,
    pgq.LocalConsumer: skytools.DBScript,
    pgq.RemoteConsumer: pgq.Consumer,
    pgq.SerialConsumer: pgq.Consumer,
    pgq.CascadedConsumer: skytools.DBScript,
    pgq.CascadedWorker: pgq.CascadedConsumer,
    pgq.PGQStatus: skytools.DBScript,
    skytools.AdminScript: skytools.DBScript,
    pgq.CascadeAdmin: skytools.AdminScript,
    skytools.DBScript: skytools.BaseScript,
}

SCRIPT_STATE = "looping loop_delay work_state last_sigint cf_defaults pidfile log ARGPARSE".split()  # noqa: SIM905

MODULES = """skytools.adminscript skytools.basetypes skytools.config skytools.fileutil
skytools.gzlog skytools.hashtext skytools.installer_config skytools.natsort skytools.parsing
skytools.psycopgwrapper skytools.querybuilder skytools.quoting skytools.scripting
skytools.skylog skytools.sockutil skytools.sqltools skytools.timeutil skytools.tnetstrings
skytools.utf8 pgq.baseconsumer pgq.cascade pgq.cascade.admin pgq.cascade.consumer
pgq.cascade.nodeinfo pgq.cascade.worker pgq.consumer
pgq.coopconsumer pgq.event pgq.localconsumer pgq.producer pgq.remoteconsumer pgq.status"""

LINES = [line.split() for line in FUNCTIONS.strip().splitlines()]


def find(name):
    top, _, rest = name.partition(".")
    if top == "pgq":
        found, name = pgq, rest
    else:
        found = skytools
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_it_can_be_called_as_before(line):
    name, *wanted = line
    parameters = list(inspect.signature(find(name)).parameters.values())
    if parameters and parameters[0].name == "self":
        del parameters[0]
    found = {p.name: p for p in parameters}
    order = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    places = [text.rstrip("=") for text in wanted if not text.startswith("**")]
    assert order[: len(places)] == places
    for text in wanted:
        if text.startswith("**"):
            assert any(p.kind is p.VAR_KEYWORD for p in parameters)
        elif text.endswith("="):
            assert found[text[:-1]].default is not inspect.Parameter.empty
    more = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][len(places) :]
    assert all(p.default is not inspect.Parameter.empty for p in more)


@pytest.mark.parametrize("name", VALUES.split())
def test_it_is_there(name):
    assert find(name) is not None


def test_no_name_that_we_offer_is_missing_from_the_checklist():
    listed = {line[0].split(".")[0] for line in LINES} | set(VALUES.split())
    assert set(oldnames.WHERE) <= listed
    ours = {line[0].removeprefix("pgq.").split(".")[0] for line in LINES}
    assert set(pgq.__all__) <= ours | {"BatchInfo", "EventList"}


@pytest.mark.parametrize(("cls", "base"), BASES.items(), ids=lambda cls: cls.__name__)
def test_classes_descend_as_before(cls, base):
    assert issubclass(cls, base)


def test_a_script_has_its_state():
    for name in SCRIPT_STATE:
        assert hasattr(skytools.BaseScript, name), name


@pytest.mark.parametrize("name", MODULES.split())
def test_modules_can_be_imported_by_name_and_are_no_copies(name):
    module = importlib.import_module(name)
    vars(skytools).pop("natsort", None)  # the import hides the function of that name
    assert module is importlib.import_module(oldnames.target(name))
    assert module.__spec__.name == module.__name__


def test_what_is_gone_says_what_to_use():
    for name in oldnames.GONE:
        with pytest.raises(AttributeError, match="is no more: "):
            getattr(skytools, name)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = skytools.nonsense
    with pytest.raises(ImportError):
        importlib.import_module("skytools.nonsense")
    with pytest.raises(ImportError):
        importlib.import_module("pgq.nonsense")


def test_our_own_programs_do_not_load_it(tmp_path):
    code = "import sys, skytools.pgq, skytools.daemons.ticker; print([m for m in sys.modules if 'compat' in m and 'skytools' in m])"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
